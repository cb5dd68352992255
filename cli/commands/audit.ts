import type { Command } from 'commander';
import { type AuditReport, auditLog } from '../../src/deposit/audit.js';
import { openCheckpoint, type Checkpoint } from '../../src/deposit/checkpoint.js';
import { type Cosignature, cosignatures, parseWitness } from '../../src/deposit/cosignature.js';
import { fault } from '../../src/base/fault.js';
import { toB64u } from '../../src/base/bytes.js';
import type { Json } from '../../src/base/json.js';
import { parseTrust } from '../../src/objects/trust.js';
import { readFile } from '../keys.js';
import { logCopy } from '../logcopy.js';
import { paint, show, table } from '../output.js';
import { caOption, list } from './options.js';

interface Options { keys: string; since: string[]; carrier?: string; witness: string[]; ca?: string; json?: boolean }
interface Audited extends AuditReport { readonly checkpoint: Checkpoint; readonly witnessed: readonly Cosignature[]; readonly since: readonly number[] }

/** Every witness that is named must have signed: a log that lies to one auditor would leave that one out. */
function witnessesOf(note: string, vkeys: readonly string[]): Cosignature[] {
  const known = vkeys.map(parseWitness);
  const signed = cosignatures(note, known);
  const missing = known.find(({ name }) => !signed.some((one) => one.name === name));
  if (missing) throw fault('deposit.unwitnessed', { name: missing.name });
  return signed;
}

/** On a terminal, how far it has come. */
const progressOf = (size: number): ((leaves: number) => void) => (leaves) => {
  if (process.stderr.isTTY) process.stderr.write(`\r${leaves.toLocaleString('en')} of ${size.toLocaleString('en')} leaves${leaves === size ? '\n' : ''}`);
};

async function audit(place: string, { keys, since, carrier, witness, ca }: Options): Promise<Audited> {
  const { logs } = parseTrust(readFile(keys));
  const copy = logCopy(place, ca === undefined ? undefined : readFile(ca));
  const note = await copy.checkpoint();
  const checkpoint = openCheckpoint(note, logs);
  const witnessed = witnessesOf(note, witness);
  const earlier = since.map((file) => openCheckpoint(readFile(file), logs));
  const other = earlier.find(({ origin }) => origin !== checkpoint.origin);
  if (other) throw fault('usage.wrong', { what: `--since names a checkpoint of ${other.origin}, this log is ${checkpoint.origin}` });
  const report = await auditLog(checkpoint, copy.tile, { earlier, chain: carrier, progress: progressOf(checkpoint.size) });
  return { ...report, checkpoint, witnessed, since: earlier.map(({ size }) => size) };
}

const asJson = ({ wrong, checkpoint, leaves, kinds, chains, chain, witnessed, since }: Audited): Json => ({
  ok: wrong === null, origin: checkpoint.origin, size: checkpoint.size, root: toB64u(checkpoint.root), leaves, kinds: { ...kinds }, chains, since: [...since],
  witnessed: witnessed.map(({ name, timeS }) => ({ name, time: timeS })),
  wrong: wrong && { index: wrong.index, after: wrong.after, code: wrong.finding.code, what: wrong.finding.message },
  chain: chain.map(({ index, leaf: { seq, kind, tsMs, code } }) => ({ index, seq, kind, ts_ms: tsMs, code })),
});

function asText({ wrong, checkpoint, leaves, kinds, chains, chain, witnessed, since }: Audited): string {
  const rows: [string, string][] = [
    ['log', `${checkpoint.origin}, ${checkpoint.size} leaves, root ${toB64u(checkpoint.root)}`],
    ['right', `${leaves} leaves in ${chains} chains: ${Object.entries(kinds).map(([kind, n]) => `${n} ${kind}`).join(', ') || 'none'}`],
    ...since.map((size): [string, string] => ['since', `a checkpoint of ${size} leaves`]),
    ...witnessed.map(({ name, timeS }): [string, string] => ['witness', `${name}, ${new Date(timeS * 1000).toISOString()}`]),
    ...chain.map(({ index, leaf }): [string, string] => [`#${leaf.seq}`, `${new Date(leaf.tsMs).toISOString()}  leaf ${index}  ${leaf.kind}${leaf.code === null ? '' : ` (${leaf.code})`}`]),
  ];
  const place = wrong?.index === null ? `the leaves from ${wrong.after} on are in doubt` : `leaf ${wrong?.index} is the first that is wrong`;
  const verdict = wrong === null ? paint('green', 'every leaf stands in its place') : paint('red', `${wrong.finding.message} (${wrong.finding.code}): ${place}`);
  return `${table(rows)}\n\n${verdict}`;
}

export const auditLogs = (ari: Command): void => {
  ari.command('audit <LOG>')
    .summary('check a whole deposit log')
    .description('Reads a log, a folder of its files or its URL (https://VERIFIER/log), and checks every leaf, every chain, every tile and the tree against the signed\ncheckpoint, with public keys only. Names the first leaf that is wrong. Keep the file `checkpoint` for the next audit: with --since the log must continue it.')
    .requiredOption('--keys <FILE>', "the verifier's public keys (its /.well-known/jwks.json)")
    .option('--since <FILE>', 'a checkpoint that was seen before (repeatable)', list, [])
    .option('--carrier <ID>', 'list the chain of a carrier too')
    .option('--witness <VKEY>', 'a witness who must have cosigned the checkpoint (repeatable)', list, [])
    .addOption(caOption())
    .option('--json', 'print one JSON object')
    .action(async (place: string, options: Options) => {
      const audited = await audit(place, options);
      show(asJson(audited), options, () => asText(audited));
      process.exitCode = audited.wrong === null ? 0 : 1;
    });
};
