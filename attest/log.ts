/**
 * The measurement log of one epoch: TCG Canonical Event Log records (CEL-JSON). The register that a TPM certifies is what this log replays to:
 * v0 = 32 zero bytes, v = SHA-256(v || digest).
 */
import { digest, fromB64u, sha256, type Sha256, toB64u } from '../src/base/bytes.js';
import { Fault, fault } from '../src/base/fault.js';
import { decode, encode, parse, type Of, b64u, count, record, sha256Text, stringify } from '../src/base/shape.js';
import { LOG_KINDS, type LogKind } from '../src/names.js';
import { type LogContent, type LogEntry, logContent } from '../src/objects/evidence.js';

/** The register before its first extend. */
export const REGISTER_ZERO = '00'.repeat(32);

/**
 * Data of the first record of an epoch. It names the boot that the epoch belongs to, and the verifier's nonce proves that the log was begun after
 * the verifier was heard: a history prepared beforehand cannot hold it.
 */
export const bootAnchor = record({ random: b64u(16), resetCount: count, restartCount: count, nonce: sha256Text });
export type BootAnchor = Of<typeof bootAnchor>;

export const bootAnchorContent = (anchor: BootAnchor): LogContent => ({ kind: 'boot_anchor', data: encode(bootAnchor, anchor) as LogContent['data'] });

/** Record number `recnum` of the log behind an NV index (lower-case hex, 4 bytes). */
export function logEntry(recnum: number, nvIndex: string, content: LogContent): LogEntry {
  const bytes = Buffer.from(stringify(logContent, content));
  return { recnum, nvIndex, digests: [{ hashAlg: 'sha256', digest: digest(bytes).toString('hex') }], contentType: 'ari', content: toB64u(bytes) };
}

/** The digest that the register is extended with. */
export const entryDigest = (entry: LogEntry): Buffer => Buffer.from(entry.digests[0]?.digest ?? '', 'hex');

/** The name of the epoch that a log begins. */
export const epochOf = (first: LogEntry): Sha256 => toB64u(entryDigest(first));

/** One extend of the register (TPM 2.0 Part 3 section 31.9). */
export const extend = (register: string, by: Uint8Array): string => digest(Buffer.from(register, 'hex'), by).toString('hex');

/** The register after these records, lower-case hex. */
export const replay = (entries: readonly LogEntry[], from: string = REGISTER_ZERO): string => entries.reduce((v, entry) => extend(v, entryDigest(entry)), from);

const isKind = (kind: string): kind is LogKind => (LOG_KINDS as readonly string[]).includes(kind);

/**
 * What record `n` says, after its digest was checked over the bytes received.
 * @throws Fault log.entry, log.digest
 */
export function readEntry(entry: LogEntry, n: number): { kind: LogKind; data: LogContent['data'] } {
  if (entry.recnum !== n) throw fault('log.entry', { n, what: `it is numbered ${entry.recnum}` });
  const bytes = fromB64u(entry.content) ?? Buffer.alloc(0);
  if (sha256(bytes) !== toB64u(entryDigest(entry))) throw fault('log.digest', { n });
  const { kind, data } = within(n, () => parse(logContent, bytes, 'content'));
  if (!isKind(kind)) throw fault('log.entry', { n, what: `kind ${kind} is unknown` });
  if ((kind === 'boot_anchor') !== (n === 0)) throw fault('log.anchor', { what: `record ${n} is a ${kind}` });
  return { kind, data };
}

/** The anchor that an epoch begins with. @throws Fault log.entry, log.digest, log.anchor */
export function readAnchor(first: LogEntry | undefined): BootAnchor {
  if (first === undefined) throw fault('log.anchor', { what: 'the log is empty' });
  const { data } = readEntry(first, 0);
  return within(0, () => decode(bootAnchor, data, 'boot_anchor'));
}

/** A finding is signed and shown: nothing that the device wrote stands in it. */
function within<T>(n: number, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw fault('log.entry', { n, what: 'its content is not of the form of its kind' });
  }
}
