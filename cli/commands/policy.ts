import { writeFileSync } from 'node:fs';
import type { Command } from 'commander';
import { type BootLog, judge, learn, parseBootLog, type Pcrs, union } from '../../attest/boot/index.js';
import { verifyBundle } from '../../attest/bundle.js';
import { fromB64u } from '../../src/base/bytes.js';
import { fault } from '../../src/base/fault.js';
import { verifyKey } from '../../src/base/jws.js';
import { encode, parse } from '../../src/base/shape.js';
import { bundle } from '../../src/objects/bundle.js';
import { type Policy, POLICY, policy as policyShape } from '../../src/objects/decision.js';
import type { PlatformEvidence } from '../../src/objects/evidence.js';
import { open, seal } from '../../src/objects/signed.js';
import { parseTrust } from '../../src/objects/trust.js';
import { loadConfig } from '../../verifier/config.js';
import { loadKeys } from '../../verifier/keys.js';
import { readFile } from '../keys.js';
import { paint, show, table } from '../output.js';
import { adminApi, caOption } from './options.js';

/** A machine's boot as a verified bundle shows it. */
interface Boot { log: BootLog | null; bank: PlatformEvidence['quote']['bank']; pcrs: Pcrs }

/** @throws Fault bundle.edge when the bundle does not verify: only what was proven may be learnt or judged */
function bootOf(file: string, keys: string): Boot {
  const text = readFile(file);
  const report = verifyBundle(text, parseTrust(readFile(keys)));
  if (report.firstBroken !== null) throw fault('bundle.edge', { edge: report.firstBroken, what: file });
  const evidence = parse(bundle, text, 'bundle').evidence;
  if (!evidence) throw fault('usage.wrong', { what: `${file} holds no evidence` });
  const { quote, boot } = evidence.platform;
  const pcrs = new Map(Object.entries(quote.pcrs).map(([pcr, value]) => [Number(pcr), Buffer.from(value, 'hex')]));
  return { log: boot === null ? null : parseBootLog(fromB64u(boot.data) ?? Buffer.alloc(0)), bank: quote.bank, pcrs };
}

/** The next version of the policy in force, signed by the operator's key of this verifier. */
function next(configFile: string, change: (now: Policy) => Partial<Policy>): { token: string; value: Policy; file: string } {
  const config = loadConfig(configFile);
  const { operator } = loadKeys(config.keys.dir, config.deposit.origin);
  const now = open(POLICY, readFile(config.trust.policyFile).trim(), (role, kid) => (role === 'operator' && kid === operator.kid ? verifyKey(operator.jwk, operator.kid) : undefined)).value;
  const value: Policy = { ...now, ...change(now), version: now.version + 1, iat: Math.floor(Date.now() / 1000) };
  return { token: seal(POLICY, value, operator), value, file: config.trust.policyFile };
}

const summary = ({ id, version, stage, bootReference }: Policy): string => table([
  ['policy', `${id} version ${version}, ${paint(stage === 'enforce' ? 'green' : 'yellow', stage)}`],
  ['reference', bootReference === undefined ? 'none' : `${bootReference.bank}: ${bootReference.pcrs.map(({ pcr, values }) => `PCR ${pcr} (${values.length})`).join(', ')}`],
]);

interface LearnOptions { config: string; keys: string; json?: boolean }

function learnFrom(files: string[], { config, keys, json }: LearnOptions): void {
  const left = new Set<number>();
  const { token, value, file } = next(config, (now) => {
    let bootReference = now.bootReference;
    for (const name of files) {
      const { log, bank, pcrs } = bootOf(name, keys);
      if (log === null) throw fault('boot.missing');
      const learnt = learn(log, bank, pcrs);
      for (const { pcr } of learnt.left) left.add(pcr);
      bootReference = bootReference?.bank === bank ? union(bootReference, learnt.reference) : learnt.reference;
    }
    return { stage: 'shadow', ...(bootReference === undefined ? {} : { bootReference }) };
  });
  writeFileSync(file, `${token}\n`);
  show({ file, left: [...left], policy: encode(policyShape, value) }, { json: json ?? false }, () => [
    summary(value), ...(left.size === 0 ? [] : [`not learnt, for no log explains them: PCR ${[...left].join(', ')}`]), '', `written to ${file}; it runs in shadow: what would fail is reported and nothing is refused for it`,
  ].join('\n'));
}

function diff(file: string, { config, keys, json }: LearnOptions): void {
  const { log, bank, pcrs } = bootOf(file, keys);
  const { bootReference } = parse(policyShape, Buffer.from(readFile(loadConfig(config).trust.policyFile).split('.')[1] ?? '', 'base64url'), 'policy');
  if (bootReference === undefined) throw fault('usage.wrong', { what: 'the policy holds no reference values; learn them first' });
  const { wouldFail } = judge(log, bank, pcrs, bootReference, 'shadow');
  show({ ok: wouldFail.length === 0, findings: wouldFail.map(({ code, message }) => ({ code, message })) }, { json: json ?? false }, () =>
    wouldFail.length === 0 ? paint('green', 'nothing would fail') : wouldFail.map(({ message }) => `${paint('red', '✗')} ${message}`).join('\n'));
  process.exitCode = wouldFail.length === 0 ? 0 : 1;
}

interface EnforceOptions { config: string; verifier?: string; adminTokenFile?: string; ca?: string; shadow?: boolean; json?: boolean }

async function enforce({ config, verifier, adminTokenFile, ca, shadow, json }: EnforceOptions): Promise<void> {
  const { token, value, file } = next(config, () => ({ stage: shadow ? 'shadow' : 'enforce' }));
  if (verifier !== undefined) await adminApi({ verifier, ...(adminTokenFile === undefined ? {} : { adminTokenFile }), ...(ca === undefined ? {} : { ca }) }).post('/v1/trust/policy', { policy: token });
  writeFileSync(file, `${token}\n`);
  show({ file, policy: encode(policyShape, value) }, { json: json ?? false }, () => `${summary(value)}\n\nwritten to ${file}${verifier === undefined ? '; restart the verifier' : ', and in force now'}`);
}

export const policy = (ari: Command): void => {
  const group = ari.command('policy').summary('learn what good machines measure, run it in shadow, enforce it').description('Keeps the reference values of the policy: learnt from verified bundles of good machines, run in shadow, then enforced. After an update learn the new machine too: old and new values are good until the old are dropped.');
  const common = (command: Command): Command => command
    .option('-c, --config <FILE>', "the verifier's configuration", process.env['ARI_CONFIG'] ?? '/etc/ari/verifier.toml')
    .option('--json', 'print one JSON object');
  const keys = (command: Command): Command => command.requiredOption('--keys <FILE>', "the verifier's public keys (its /.well-known/jwks.json)");
  keys(common(group.command('learn <BUNDLES...>')))
    .summary('take the boot of good machines as reference values, in shadow')
    .description('Verifies each bundle and takes the PCR values that its boot log explains. Writes the next version of the policy, at stage shadow.')
    .action(learnFrom);
  keys(common(group.command('diff <BUNDLE>')))
    .summary('what would fail for this machine, and which PCR')
    .description("Judges a bundle's boot by the reference values of the policy, whatever its stage. Names each PCR and the first event that differs. Exit status 1 when there is any.")
    .action(diff);
  common(group.command('enforce'))
    .summary('let the reference values count')
    .description('Writes the next version of the policy at stage enforce (or back at shadow) and, with --verifier, puts it in force at once.')
    .option('--shadow', 'go back to shadow')
    .option('-u, --verifier <URL>', "the verifier's HTTP address")
    .option('--admin-token-file <FILE>', "file with the operator's token")
    .addOption(caOption())
    .action(enforce);
};
