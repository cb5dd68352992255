/**
 * The verifier's memory of a log: one append-only history per (device, epoch). Whoever holds the attestation key's authorisation can undefine the
 * register and write any history into it; only this memory stops that.
 */
import { fault } from '../src/base/fault.js';
import { stringify } from '../src/base/shape.js';
import { LOG_ENTRIES, type LogDelta, type LogEntry, logEntry } from '../src/objects/evidence.js';
import { logEnd } from './evidence.js';
import { type BootAnchor, REGISTER_ZERO, entryDigest, epochOf, extend, readAnchor, readEntry, replay } from './log.js';
import type { LogHead, LogRow } from './types.js';

/** A TPM's boot: resetCount first, then restartCount, which falls to 0 with every reset. */
export interface Boot { resetCount: number; restartCount: number }

/** Lexicographic order: negative when `a` is the earlier boot. */
export const compareBoots = (a: Boot, b: Boot): number => a.resetCount - b.resetCount || a.restartCount - b.restartCount;

/** A head continued by a delta. `rows` are the records that were not known before; `anchor` is there when the epoch is new. */
export interface Extended { head: LogHead; rows: LogRow[]; anchor: BootAnchor | null }

const rowOf = (entry: LogEntry, n: number): LogRow => ({ n, digest: entryDigest(entry).toString('hex'), entry: stringify(logEntry, entry) });

/** The register after each record of a run of records whose first has number `from`; every record is checked. */
function registers(entries: readonly LogEntry[], from: number, register: string): string[] {
  return entries.map((entry, i) => {
    readEntry(entry, from + i);
    return (register = extend(register, entryDigest(entry)));
  });
}

/**
 * Continues a known head, or begins an epoch when `head` is null. Records that are known already are skipped, never read into the result: that
 * they are the same is shown by the register, which must be what the *known* history continues to.
 * @throws Fault log.gap, log.truncated, log.fork, log.digest, log.entry, log.anchor; log.too_long for a log that no bundle could carry
 */
export function extendHead(head: LogHead | null, delta: LogDelta): Extended {
  if (logEnd(delta) > LOG_ENTRIES) throw fault('log.too_long', { n: logEnd(delta), max: LOG_ENTRIES });
  return head === null ? beginEpoch(delta) : continueEpoch(head, delta);
}

function beginEpoch({ epoch, from, entries }: LogDelta): Extended {
  if (from !== 0) throw fault('log.gap', { from, known: 0 });
  const anchor = readAnchor(entries[0]);
  if (epochOf(entries[0]!) !== epoch) throw fault('log.anchor', { what: 'its digest is not the name of the epoch' });
  const register = registers(entries, 0, REGISTER_ZERO).at(-1)!;
  const head = { epoch, nextN: entries.length, register, resetCount: anchor.resetCount, restartCount: anchor.restartCount };
  return { head, rows: entries.map(rowOf), anchor };
}

function continueEpoch(head: LogHead, { epoch, from, entries }: LogDelta): Extended {
  if (epoch !== head.epoch) throw fault('log.fork', { n: 0 });
  if (from > head.nextN) throw fault('log.gap', { from, known: head.nextN });
  if (from + entries.length < head.nextN) throw fault('log.truncated', { seen: from + entries.length, last: head.nextN });
  const known = entries.slice(0, head.nextN - from);
  known.forEach((entry, i) => readEntry(entry, from + i));
  if (from === 0 && replay(known) !== head.register) throw fault('log.fork', { n: head.nextN - 1 });
  const fresh = entries.slice(known.length);
  const register = registers(fresh, head.nextN, head.register).at(-1) ?? head.register;
  return { head: { ...head, nextN: head.nextN + fresh.length, register }, rows: fresh.map((entry, i) => rowOf(entry, head.nextN + i)), anchor: null };
}


/**
 * Whether the log belongs to the boot that the TPM certified. A reset clears the register, so an epoch cannot outlive one, and a new epoch needs
 * a new boot: a second history of one boot is refused.
 * @throws Fault log.anchor
 */
export function assertBoot({ head, anchor }: Extended, certified: Boot, latest: LogHead | null): void {
  if (head.resetCount !== certified.resetCount || compareBoots(head, certified) > 0) {
    throw fault('log.anchor', { what: `it is of boot ${head.resetCount}.${head.restartCount}, the TPM is in ${certified.resetCount}.${certified.restartCount}` });
  }
  if (anchor !== null && latest !== null && compareBoots(anchor, latest) <= 0) throw fault('log.anchor', { what: 'this boot has a log already' });
}
