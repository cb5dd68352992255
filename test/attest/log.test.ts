import { describe, expect, it } from 'vitest';
import { toB64u } from '../../src/base/bytes.js';
import type { LogContent, LogEntry } from '../../src/objects/evidence.js';
import { assertBoot, compareBoots, extendHead } from '../../attest/head.js';
import { REGISTER_ZERO, bootAnchorContent, entryDigest, epochOf, extend, logEntry, readAnchor, readEntry, replay } from '../../attest/log.js';
import { codeOf } from '../support/fault.js';

const INDEX = '01d10300';
const anchor = { random: toB64u(Buffer.alloc(16, 1)), resetCount: 3, restartCount: 1, nonce: toB64u(Buffer.alloc(32, 2)) };
const start = (n: number): LogContent => ({ kind: 'agent_start', data: { agent_id: `agt-${n}`, exe_sha256: toB64u(Buffer.alloc(32, n)) } });
const logOf = (length: number): LogEntry[] => [logEntry(0, INDEX, bootAnchorContent(anchor)), ...Array.from({ length: length - 1 }, (_, i) => logEntry(i + 1, INDEX, start(i + 1)))];
const deltaOf = (entries: LogEntry[], from = 0) => ({ epoch: epochOf(entries[0]!), from, entries: entries.slice(from) });
const five = logOf(5);
const headOf = (n: number) => extendHead(null, deltaOf(five.slice(0, n))).head;

describe('a measurement log', () => {
  it('replays to the value that the register takes: v = H(v || digest) from zero', () => {
    const [first, second] = five as [LogEntry, LogEntry];
    expect(replay([first, second])).toBe(extend(extend(REGISTER_ZERO, entryDigest(first)), entryDigest(second)));
    expect(replay([])).toBe('00'.repeat(32));
  });

  it('begins with an anchor that names its boot', () => {
    expect(readAnchor(five[0])).toEqual(anchor);
    expect(codeOf(() => readAnchor(five[1]))).toBe('log.entry');
    expect(codeOf(() => readAnchor(undefined))).toBe('log.anchor');
    expect(codeOf(() => readAnchor(logEntry(0, INDEX, start(0))))).toBe('log.anchor');
  });

  it('has one anchor only: a second one would name another boot within the epoch', () => {
    expect(codeOf(() => readEntry(logEntry(2, INDEX, bootAnchorContent(anchor)), 2))).toBe('log.anchor');
  });

  it('holds the bytes that were hashed: changed content under the old digest is refused', () => {
    const altered = { ...five[1]!, content: five[2]!.content };
    expect(codeOf(() => extendHead(null, deltaOf([five[0]!, altered])))).toBe('log.digest');
  });

  it.each([
    ['an unknown kind', logEntry(1, INDEX, { kind: 'agent_stat', data: {} })],
    ['another number', { ...five[1]!, recnum: 7 }],
    ['content that is no JSON', (() => { const bytes = Buffer.from('{'); return { ...five[1]!, content: toB64u(bytes), digests: logEntryDigest(bytes) }; })()],
  ])('refuses a record with %s', (_, entry) => {
    expect(codeOf(() => extendHead(null, deltaOf([five[0]!, entry])))).toBe('log.entry');
  });
});

describe('what is said of a malformed record', () => {
  it('holds nothing that the device wrote: it is signed and shown to people', () => {
    const bytes = Buffer.from(JSON.stringify({ kind: 'agent_start', data: {}, ['\u001b[2J'.repeat(99)]: 1 }));
    const entry = { ...five[1]!, content: toB64u(bytes), digests: logEntryDigest(bytes) };
    expect(() => readEntry(entry, 1)).toThrow(/^entry 1 of the measurement log is malformed: its content is not of the form of its kind$/);
  });
});

describe('the verifier’s memory of a log', () => {
  it('grows by what is new and nothing else, wherever the delta starts', () => {
    const whole = headOf(5);
    for (const from of [0, 1, 2, 3]) {
      const { head, rows, anchor: begun } = extendHead(headOf(3), deltaOf(five, from));
      expect(head).toEqual(whole);
      expect(rows.map(({ n }) => n)).toEqual([3, 4]);
      expect(begun).toBeNull();
    }
  });

  it('refuses a gap', () => {
    expect(codeOf(() => extendHead(headOf(2), deltaOf(five, 3)))).toBe('log.gap');
    expect(codeOf(() => extendHead(null, deltaOf(five, 1)))).toBe('log.gap');
  });

  it('refuses a log that lost its last records', () => {
    expect(codeOf(() => extendHead(headOf(5), deltaOf(five.slice(0, 4))))).toBe('log.truncated');
    expect(codeOf(() => extendHead(headOf(5), { ...deltaOf(five), from: 2, entries: [] }))).toBe('log.truncated');
  });

  it('refuses a second history of the epoch it knows', () => {
    const forked = [...five.slice(0, 2), logEntry(2, INDEX, start(99)), ...five.slice(3)];
    expect(codeOf(() => extendHead(headOf(3), deltaOf(forked)))).toBe('log.fork');
    expect(codeOf(() => extendHead(headOf(3), { ...deltaOf(five, 3), epoch: toB64u(Buffer.alloc(32, 9)) }))).toBe('log.fork');
  });

  it('does not take records it knows from the delta: a forged overlap changes nothing that is stored', () => {
    const forged = [five[0]!, five[1]!, logEntry(2, INDEX, start(99)), five[3]!];
    const { head, rows } = extendHead(headOf(3), deltaOf(forged, 1));
    expect(head.register).toBe(replay(five.slice(0, 4)));
    expect(head.register).not.toBe(replay(forged));
    expect(rows.map(({ n }) => n)).toEqual([3]);
  });

  it('refuses an epoch under another name than the digest of its first record', () => {
    expect(codeOf(() => extendHead(null, { ...deltaOf(five), epoch: toB64u(Buffer.alloc(32, 9)) }))).toBe('log.anchor');
  });
});

describe('a log and the boot it belongs to', () => {
  const fresh = extendHead(null, deltaOf(five));
  const at = (resetCount: number, restartCount: number) => ({ resetCount, restartCount });

  it('orders boots by resets first: a reset sets the restart count to zero', () => {
    expect(compareBoots(at(4, 0), at(3, 7))).toBeGreaterThan(0);
    expect(compareBoots(at(3, 1), at(3, 1))).toBe(0);
  });

  it('may go on through a suspend (restart count rises), never through a reset', () => {
    expect(() => assertBoot(fresh, at(3, 1), null)).not.toThrow();
    expect(() => assertBoot(fresh, at(3, 2), null)).not.toThrow();
    expect(codeOf(() => assertBoot(fresh, at(4, 1), null))).toBe('log.anchor');
    expect(codeOf(() => assertBoot(fresh, at(3, 0), null))).toBe('log.anchor');
    expect(codeOf(() => assertBoot(extendHead(headOf(3), deltaOf(five)), at(4, 0), null))).toBe('log.anchor');
  });

  it('is the only one of its boot: a new epoch needs a new boot', () => {
    const latest = { ...headOf(2), epoch: toB64u(Buffer.alloc(32, 8)) };
    expect(codeOf(() => assertBoot(fresh, at(3, 1), latest))).toBe('log.anchor');
    expect(() => assertBoot(fresh, at(3, 1), { ...latest, restartCount: 0 })).not.toThrow();
  });
});

function logEntryDigest(bytes: Buffer): LogEntry['digests'] {
  return [{ hashAlg: 'sha256', digest: extend('', bytes) }];
}
