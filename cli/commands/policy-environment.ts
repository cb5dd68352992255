/** `ari policy environment`: what the policy asks of an agent's surroundings, shown, held against a payment, or replaced. */
import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { verifyBundle } from '../../attest/bundle.js';
import { environmentBreaches } from '../../attest/environment.js';
import { fault } from '../../src/base/fault.js';
import { encode, parse } from '../../src/base/shape.js';
import { bundle } from '../../src/objects/bundle.js';
import type { AgentClaims } from '../../src/objects/claims.js';
import { policy as policyShape } from '../../src/objects/decision.js';
import { type EnvironmentName, ENVIRONMENTS, type EnvironmentPolicy, environmentPolicy } from '../../src/objects/environment.js';
import { parseTrust } from '../../src/objects/trust.js';
import { readFile } from '../keys.js';
import { paint, show, table } from '../output.js';
import { nextPolicy } from '../policies.js';
import { adminApi, caOption } from './options.js';

/** @throws Fault bundle.edge when the bundle does not verify: only what was proven is judged */
function agentIn(file: string, keys: string): AgentClaims {
  const text = readFile(file);
  const { firstBroken } = verifyBundle(text, parseTrust(readFile(keys)));
  if (firstBroken !== null) throw fault('bundle.edge', { edge: firstBroken, what: file });
  const { evidence } = parse(bundle, text, 'bundle');
  if (!evidence) throw fault('usage.wrong', { what: `${file} holds no evidence` });
  return evidence.payment.agent;
}

const isShipped = (name: string): name is EnvironmentName => Object.hasOwn(ENVIRONMENTS, name);
const tableOf = (name: string): EnvironmentPolicy => (isShipped(name) ? ENVIRONMENTS[name] : parse(environmentPolicy, readFile(name), name));

/** A row as a person reads it: the fact, what is asked, what it weighs when it does not hold. */
const rowOf = ([fact, { otherwise, ...asked }]: [string, { otherwise: string }]): [string, string] => [fact, `${Object.values(asked).flat().join(' ')}${Object.keys(asked).length === 0 ? '' : ', '}else ${otherwise}`];
const shown = (rows: EnvironmentPolicy): string => table(Object.entries(encode(environmentPolicy, rows) as Record<string, { otherwise: string }>).map(rowOf)) || 'nothing is asked';

interface Options { config: string; bundle?: string; keys?: string; verifier?: string; adminTokenFile?: string; ca?: string; json?: boolean }

/** Whatever a row weighs, it is told. */
function judge(rows: EnvironmentPolicy, file: string, keys: string | undefined, json: boolean): void {
  if (keys === undefined) throw fault('usage.wrong', { what: "--bundle needs --keys, the verifier's public keys" });
  const breaches = environmentBreaches(agentIn(file, keys), rows).map(({ finding: { code, message }, weight }) => ({ code, message, weight }));
  show({ ok: breaches.length === 0, breaches }, { json }, () => (breaches.length === 0 ? paint('green', 'everything that is asked holds') : breaches.map(({ message, weight }) => `${paint('red', '✗')} ${message} (${weight})`).join('\n')));
  process.exitCode = breaches.length === 0 ? 0 : 1;
}

async function environment(name: string, { config, bundle: file, keys, verifier, adminTokenFile, ca, json = false }: Options): Promise<void> {
  const rows = tableOf(name);
  if (file !== undefined) return judge(rows, file, keys, json);
  const next = nextPolicy(config, () => ({ environment: rows }));
  if (verifier !== undefined) await adminApi({ verifier, ...(adminTokenFile === undefined ? {} : { adminTokenFile }), ...(ca === undefined ? {} : { ca }) }).post('/v1/trust/policy', { policy: next.token });
  writeFileSync(next.file, `${next.token}\n`);
  show({ file: next.file, policy: encode(policyShape, next.value) }, { json }, () => `${shown(rows)}\n\nversion ${next.value.version} written to ${next.file}${verifier === undefined ? '; restart the verifier' : ', and in force now'}`);
}

export const policyEnvironment = (group: Command): void => {
  group.command('environment <TABLE>')
    .summary("what is asked of an agent's surroundings, and what it weighs")
    .description('TABLE is none, production, strict or a JSON file (docs/policy.md). Writes it into the next version of the policy; with --bundle changes nothing and tells what would not hold for the agent of that payment, exit status 1 when there is any.')
    .option('-c, --config <FILE>', "the verifier's configuration", process.env['ARI_CONFIG'] ?? '/etc/ari/verifier.toml')
    .option('--bundle <FILE>', 'a payment to hold it against')
    .option('--keys <FILE>', "the verifier's public keys (its /.well-known/jwks.json)")
    .option('-u, --verifier <URL>', "the verifier's HTTP address: puts it in force at once")
    .option('--admin-token-file <FILE>', "file with the operator's token")
    .addOption(caOption())
    .option('--json', 'print one JSON object')
    .action(environment);
};
