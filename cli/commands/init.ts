import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Command } from 'commander';
import { ENROL_CODE_FILE, loadConfig } from '../../daemon/config.js';
import { decode, stringify } from '../../src/base/shape.js';
import { trustFile } from '../../src/objects/trust.js';
import { apiOf } from '../http.js';
import { readFile } from '../keys.js';
import { show } from '../output.js';
import { apiOption, caOption } from './options.js';

export interface SidecarPlace { verifierUrl: string; channel: string; socket: string; stateDir: string; keysFile: string; caFile?: string | undefined; agents: { id: string; manifestFile: string; root: string; uid?: number }[] }

/** A configuration to begin with; every line of it is explained in docs/configuration.md. */
export const sidecarToml = (place: SidecarPlace): string => `[verifier]
url = ${JSON.stringify(place.verifierUrl.replace(/^http/, 'ws'))}
keys_file = ${JSON.stringify(place.keysFile)}
${place.caFile === undefined ? '' : `ca_file = ${JSON.stringify(place.caFile)}\n`}
[tpm]
channel = ${JSON.stringify(place.channel)}

[state]
dir = ${JSON.stringify(place.stateDir)}

[agents]
socket = ${JSON.stringify(place.socket)}
${place.agents.map((agent) => `
[[agents.allow]]
id = ${JSON.stringify(agent.id)}
manifest_file = ${JSON.stringify(agent.manifestFile)}
root = ${JSON.stringify(agent.root)}
${agent.uid === undefined ? '' : `uid = ${agent.uid}\n`}`).join('')}${place.agents.length === 0 ? 'allow = []\n' : ''}`;

interface InitOptions { config: string; verifier: string; ca?: string; channel: string; socket: string; state: string; agent?: string; manifest?: string; root?: string; code?: string; json?: boolean }

/** Fetches the verifier's public keys. Whoever answers here is trusted from now on: compare the file with what its operator publishes. */
export async function fetchKeys(url: string, ca: string | undefined, file: string): Promise<void> {
  const keys = decode(trustFile, await apiOf({ url, ca }).get('/.well-known/jwks.json'), 'keys');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${stringify(trustFile, keys)}\n`);
}

async function run(options: InitOptions): Promise<void> {
  const dir = dirname(resolve(options.config));
  const keysFile = join(dir, 'verifier-keys.json');
  if (!existsSync(keysFile)) await fetchKeys(options.verifier, options.ca === undefined ? undefined : readFile(options.ca), keysFile);
  if (!existsSync(options.config)) {
    const agents = options.agent !== undefined && options.manifest !== undefined ? [{ id: options.agent, manifestFile: resolve(options.manifest), root: resolve(options.root ?? dirname(options.manifest)) }] : [];
    writeFileSync(options.config, sidecarToml({ verifierUrl: options.verifier, channel: options.channel, socket: resolve(options.socket), stateDir: resolve(options.state), keysFile, caFile: options.ca && resolve(options.ca), agents }));
  }
  const config = loadConfig(options.config);
  mkdirSync(config.state.dir, { recursive: true, mode: 0o700 });
  if (options.code !== undefined) writeFileSync(join(config.state.dir, ENROL_CODE_FILE), `${options.code}\n`, { mode: 0o600 });
  show({ config: options.config, keys: keysFile, state: config.state.dir, code: options.code !== undefined }, options, () =>
    `configuration  ${options.config}\nverifier keys  ${keysFile}   (compare with what the operator publishes)\nstate          ${config.state.dir}\n\nnext: ari daemon -c ${options.config}`);
}

export const init = (ari: Command): void => {
  ari.command('init')
    .summary('prepare this device: configuration, verifier keys, enrolment code')
    .description('Makes what the sidecar needs and does not have yet; what exists is kept. The code (from `ari user code`) lets the TPM of this device enrol once.')
    .addOption(apiOption()).addOption(caOption())
    .option('-c, --config <FILE>', 'configuration', process.env['ARI_CONFIG'] ?? '/etc/ari/sidecar.toml')
    .option('--code <CODE>', 'one-time enrolment code')
    .option('--channel <SPEC>', 'device:PATH, swtpm:unix:PATH or swtpm:tcp:HOST:PORT', 'device:/dev/tpmrm0')
    .option('--socket <PATH>', 'agent socket', '/run/ari/agent.sock')
    .option('--state <DIR>', 'state folder', '/var/lib/ari')
    .option('--agent <ID>', 'an agent that may connect')
    .option('--manifest <FILE>', 'its signed manifest')
    .option('--root <DIR>', 'where its files lie (default: beside the manifest)')
    .option('--json', 'print one JSON object')
    .action(run);
};
