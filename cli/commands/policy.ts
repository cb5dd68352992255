import { readFileSync, writeFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { type BootLog, differences, learn, learnUki, parseBootLog, type Pcrs, type PeImage, readPe, union, UKI_PCR, UKI_PCRS } from '../../attest/boot/index.js';
import { verifyBundle } from '../../attest/bundle.js';
import { environmentBreaches } from '../../attest/environment.js';
import { fromB64u } from '../../src/base/bytes.js';
import { fault } from '../../src/base/fault.js';
import { encode, parse } from '../../src/base/shape.js';
import { bundle } from '../../src/objects/bundle.js';
import type { AgentClaims } from '../../src/objects/claims.js';
import { type Policy, policy as policyShape } from '../../src/objects/decision.js';
import type { PlatformEvidence } from '../../src/objects/evidence.js';
import type { UkiReference } from '../../src/objects/reference.js';
import { parseTrust } from '../../src/objects/trust.js';
import { loadConfig } from '../../verifier/config.js';
import { readFile } from '../keys.js';
import { paint, show, table } from '../output.js';
import { nextPolicy } from '../policies.js';
import { adminApi, caOption } from './options.js';
import { policyEnvironment } from './policy-environment.js';

/** A machine's boot, and the agent that paid on it, as a verified bundle shows them. */
interface Boot { log: BootLog | null; bank: PlatformEvidence['quote']['bank']; pcrs: Pcrs; agent: AgentClaims }

/** @throws Fault bundle.edge when the bundle does not verify: only what was proven may be learnt or judged */
function bootOf(file: string, keys: string): Boot {
  const text = readFile(file);
  const report = verifyBundle(text, parseTrust(readFile(keys)));
  if (report.firstBroken !== null) throw fault('bundle.edge', { edge: report.firstBroken, what: file });
  const evidence = parse(bundle, text, 'bundle').evidence;
  if (!evidence) throw fault('usage.wrong', { what: `${file} holds no evidence` });
  const { quote, boot } = evidence.platform;
  const pcrs = new Map(Object.entries(quote.pcrs).map(([pcr, value]) => [Number(pcr), Buffer.from(value, 'hex')]));
  return { log: boot === null ? null : parseBootLog(fromB64u(boot.data) ?? Buffer.alloc(0)), bank: quote.bank, pcrs, agent: evidence.payment.agent };
}

const summary = ({ id, version, stage, bootReference, uki, environment }: Policy): string => table([
  ['policy', `${id} version ${version}, ${paint(stage === 'enforce' ? 'green' : 'yellow', stage)}`],
  ['reference', bootReference === undefined ? 'none' : `${bootReference.bank}: ${bootReference.pcrs.map(({ pcr, values }) => `PCR ${pcr} (${values.length})`).join(', ')}`],
  ...(uki === undefined ? [] : [['unified kernel images', `${uki.images.length}, the sidecar is in ${uki.sidecar}`] as [string, string]]),
  ['surroundings', environment === undefined ? 'not asked, noted' : Object.entries(environment).flatMap(([fact, row]) => (row === undefined ? [] : [`${fact}: else ${row.otherwise}`])).join(', ') || 'not asked'],
]);

interface Common { config: string; keys: string; json?: boolean }
interface LearnOptions extends Common { uki?: string; sidecar?: UkiReference['sidecar'] }

/** @throws Fault config.unreadable, usage.wrong */
function imageIn(file: string): PeImage {
  try {
    return readPe(readFileSync(file));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof Error && typeof code === 'string' && /^E[A-Z]+$/.test(code)) throw fault('config.unreadable', { file, what: code });
    throw error;
  }
}

type References = Pick<Policy, 'bootReference' | 'uki' | 'pcrs'>;
/** What this machine adds. With its image, PCR 11 is judged by the image: its value changes as the machine comes up. */
function learnt(now: References, { log, bank, pcrs }: Boot, image: PeImage | null, sidecar: UkiReference['sidecar'], left: Set<number>): References {
  if (log === null) throw fault('boot.missing');
  const uki = image === null ? now.uki : learnUki({ log, bank, quoted: pcrs }, image, sidecar, now.uki);
  const { reference, left: unexplained } = learn(log, bank, uki === undefined ? pcrs : new Map([...pcrs].filter(([pcr]) => pcr !== UKI_PCR)));
  for (const { pcr } of unexplained) left.add(pcr);
  return {
    bootReference: now.bootReference?.bank === bank ? union(now.bootReference, reference) : reference,
    pcrs: uki === undefined ? now.pcrs : [...new Set([...now.pcrs, ...UKI_PCRS])].sort((a, b) => a - b), ...(uki === undefined ? {} : { uki }),
  };
}

function learnFrom(files: string[], { config, keys, uki, sidecar = 'root', json }: LearnOptions): void {
  const left = new Set<number>();
  const image = uki === undefined ? null : imageIn(uki);
  const { token, value, file } = nextPolicy(config, (now) => ({ stage: 'shadow', ...files.reduce<References>((known, name) => learnt(known, bootOf(name, keys), image, sidecar, left), now) }));
  writeFileSync(file, `${token}\n`);
  show({ file, left: [...left], policy: encode(policyShape, value) }, { json: json ?? false }, () => [
    summary(value), ...(left.size === 0 ? [] : [`not learnt, for no log explains them: PCR ${[...left].join(', ')}`]), '', `written to ${file}; it runs in shadow: what would fail is reported and nothing is refused for it`,
  ].join('\n'));
}

function diff(file: string, { config, keys, json }: Common): void {
  const { log, bank, pcrs, agent } = bootOf(file, keys);
  const policy = parse(policyShape, Buffer.from(readFile(loadConfig(config).trust.policyFile).split('.')[1] ?? '', 'base64url'), 'policy');
  if (policy.bootReference === undefined && policy.uki === undefined && policy.environment === undefined) throw fault('usage.wrong', { what: 'the policy holds no reference values; learn them first' });
  const breaches = environmentBreaches(agent, policy.environment).filter(({ weight }) => weight !== 'note');
  const findings = [...differences({ log, bank, quoted: pcrs }, policy), ...breaches.map(({ finding }) => finding)];
  show({ ok: findings.length === 0, findings: findings.map(({ code, message }) => ({ code, message })) }, { json: json ?? false }, () =>
    findings.length === 0 ? paint('green', 'nothing would fail') : findings.map(({ message }) => `${paint('red', '✗')} ${message}`).join('\n'));
  process.exitCode = findings.length === 0 ? 0 : 1;
}

interface EnforceOptions { config: string; verifier?: string; adminTokenFile?: string; ca?: string; shadow?: boolean; json?: boolean }

async function enforce({ config, verifier, adminTokenFile, ca, shadow, json }: EnforceOptions): Promise<void> {
  const { token, value, file } = nextPolicy(config, () => ({ stage: shadow ? 'shadow' : 'enforce' }));
  if (verifier !== undefined) await adminApi({ verifier, ...(adminTokenFile === undefined ? {} : { adminTokenFile }), ...(ca === undefined ? {} : { ca }) }).post('/v1/trust/policy', { policy: token });
  writeFileSync(file, `${token}\n`);
  show({ file, policy: encode(policyShape, value) }, { json: json ?? false }, () => `${summary(value)}\n\nwritten to ${file}${verifier === undefined ? '; restart the verifier' : ', and in force now'}`);
}

export const policy = (ari: Command): void => {
  const group = ari.command('policy').summary('learn what good machines measure, run it in shadow, enforce it').description('Keeps what the policy asks of the surroundings of agents, and its reference values: learnt from verified bundles of good machines, run in shadow, then enforced. After an update learn the new machine too: old and new values are good until the old are dropped.');
  const common = (command: Command): Command => command
    .option('-c, --config <FILE>', "the verifier's configuration", process.env['ARI_CONFIG'] ?? '/etc/ari/verifier.toml')
    .option('--json', 'print one JSON object');
  const keys = (command: Command): Command => command.requiredOption('--keys <FILE>', "the verifier's public keys (its /.well-known/jwks.json)");
  keys(common(group.command('learn <BUNDLES...>')))
    .summary('take the boot of good machines as reference values, in shadow')
    .description('Verifies each bundle and takes the PCR values that its boot log explains. With --uki also the unified kernel image that the machines booted: tier T3 without IMA. Writes the next version of the policy, at stage shadow.')
    .option('--uki <FILE>', 'the unified kernel image (.efi) that they booted, with the sidecar in it')
    .addOption(new Option('--sidecar <WHERE>', 'where in it the sidecar is: a root or /usr file system that its command line ties by roothash= or usrhash=, or an initrd that is the whole system').choices(['root', 'usr', 'initrd']).default('root'))
    .action(learnFrom);
  keys(common(group.command('diff <BUNDLE>')))
    .summary('what would fail for this machine, and which PCR')
    .description("Judges a bundle's boot by the reference values of the policy, whatever its stage, and its agent's surroundings by what the policy asks of them. Names each PCR and the first event that differs. Exit status 1 when there is any.")
    .action(diff);
  common(group.command('enforce'))
    .summary('let the reference values count')
    .description('Writes the next version of the policy at stage enforce (or back at shadow) and, with --verifier, puts it in force at once.')
    .option('--shadow', 'go back to shadow')
    .option('-u, --verifier <URL>', "the verifier's HTTP address")
    .option('--admin-token-file <FILE>', "file with the operator's token")
    .addOption(caOption())
    .action(enforce);
  policyEnvironment(group);
};
