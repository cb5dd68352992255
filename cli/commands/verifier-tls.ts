import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import type { Command } from 'commander';
import { fault } from '../../src/base/fault.js';
import { loadConfig } from '../../verifier/config.js';
import { issueTls, trustContainer } from '../../verifier/tls.js';
import { readFile } from '../keys.js';
import { show } from '../output.js';
import { list } from './options.js';

interface TlsOptions { config: string; host: string[]; p12?: string; p12PasswordFile?: string; json?: boolean }

async function run(options: TlsOptions): Promise<void> {
  if (options.host.length === 0) throw fault('usage.wrong', { what: 'name at least one --host under which sidecars reach this verifier' });
  if (options.p12 !== undefined && options.p12PasswordFile === undefined) throw fault('usage.wrong', { what: '--p12 needs --p12-password-file' });
  const config = loadConfig(options.config);
  const home = dirname(resolve(options.config));
  const files = await issueTls(join(home, 'tls'), options.host, Date.now());
  if (options.p12 !== undefined) writeFileSync(options.p12, await trustContainer(readFileSync(files.authority, 'utf8'), readFile(options.p12PasswordFile ?? '').trim()));
  const inConfig = (file: string): string => JSON.stringify(relative(home, file));
  if (config.tls === undefined) appendFileSync(options.config, `\n[tls]\ncert_file = ${inConfig(files.certificate)}\nkey_file = ${inConfig(files.key)}\n`);
  show({ authority: files.authority, certificate: files.certificate, key: files.key, p12: options.p12 ?? null, config_changed: config.tls === undefined }, options, () =>
    `authority    ${files.authority}   (give it to the devices: ari init --ca)\ncertificate  ${files.certificate}\nkey          ${files.key}\n${config.tls === undefined ? `[tls] is in ${options.config} now` : 'the configuration has a [tls] section already'}`);
}

export const tls = (group: Command): void => {
  group.command('tls')
    .summary('make a certificate authority and a server certificate of its own')
    .description('Makes an authority (once) and a server certificate (anew) for the hosts named, and enters them into the configuration. For verifiers without a certificate of a public authority.\nWith --p12 the authority is also written as a PKCS#12 trust container, as terminal makers provision it.')
    .option('-c, --config <FILE>', 'configuration', process.env['ARI_CONFIG'] ?? '/etc/ari/verifier.toml')
    .option('--host <NAME>', 'host name or address of this verifier (repeatable)', list, [])
    .option('--p12 <FILE>', 'write the authority there as PKCS#12')
    .option('--p12-password-file <FILE>', 'file with the password of that container')
    .option('--json', 'print one JSON object')
    .action(run);
};
