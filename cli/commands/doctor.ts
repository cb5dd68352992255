import type { Command } from 'commander';
import { capabilityFacts, heldBy, listenerOn } from '../../daemon/capabilities.js';
import { loadConfig } from '../../daemon/config.js';
import type { Fact } from '../../daemon/tpm/types.js';
import { loadTrust } from '../../daemon/trust.js';
import { loadAgents } from '../../daemon/agents.js';
import { AriClient } from '../../client/index.js';
import { asFault } from '../../src/base/fault.js';
import { paint, show } from '../output.js';

/** One check by its name: what a thrown fault says is the detail, and its fix the next step. */
async function fact(name: string, look: () => Promise<string> | string): Promise<Fact> {
  try {
    return { name, ok: true, detail: await look(), fix: null };
  } catch (error) {
    const { message, fix } = asFault(error);
    return { name, ok: false, detail: message, fix };
  }
}

async function examine(file: string): Promise<Fact[]> {
  const config = loadConfig(file);
  const facts = [
    await fact('configuration', () => file),
    await fact('verifier keys', () => loadTrust(config.verifier.keysFile).aud),
    await fact('agents', () => loadAgents(config.agents.allow, loadTrust(config.verifier.keysFile).keys).map(({ id }) => id).join(', ') || 'none'),
  ];
  const held = heldBy(await listenerOn(config.agents.socket) ?? 'self');
  facts.push(...capabilityFacts(held, config.agents.allow));
  const status = await new AriClient({ socket: config.agents.socket }).status().catch(() => null);
  if (status) return [...facts, await fact('sidecar', () => `running, tier ${status.tier}${status.reason ? `: ${status.reason}` : ''}`), { name: 'verifier', ok: status.verifier.connected, detail: status.verifier.url, fix: status.verifier.connected ? null : 'check the network and [verifier] url' }];
  const [{ openProver }, { pino }] = await Promise.all([import('../../daemon/tpm/prover.js'), import('pino')]);
  const prover = await openProver({ ...config.tpm, stateDir: config.state.dir }, pino({ level: 'silent' }));
  try {
    return [...facts, { name: 'sidecar', ok: false, detail: 'not running', fix: `ari daemon -c ${file}` }, ...await prover.doctor()];
  } finally {
    await prover.close();
  }
}

export const doctor = (ari: Command): void => {
  ari.command('doctor')
    .summary('what keeps this device from proving more, and how to mend it')
    .description('Looks at configuration, keys, agents, the running sidecar or, when none runs, the TPM itself. Each line that is not ok says what to do. Exit status 1 when one is not.')
    .option('-c, --config <FILE>', 'configuration', process.env['ARI_CONFIG'] ?? '/etc/ari/sidecar.toml')
    .option('--json', 'print one JSON object')
    .action(async (options: { config: string; json?: boolean }) => {
      const facts = await examine(options.config);
      const ok = facts.every((one) => one.ok);
      show({ ok, facts: facts.map(({ name, ok: good, detail, fix }) => ({ name, ok: good, detail, fix })) }, options, () =>
        facts.map(({ name, ok: good, detail, fix }) => `${good ? paint('green', '✓') : paint('red', '✗')} ${name}: ${detail}${fix === null ? '' : `\n    ${fix}`}`).join('\n'));
      process.exitCode = ok ? 0 : 1;
    });
};
