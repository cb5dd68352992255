import { describe, expect, it } from 'vitest';
import { extendHead } from '../../attest/head.js';
import { bootAnchorContent, epochOf, logEntry } from '../../attest/log.js';
import { addPage, pagesOf } from '../../attest/pages.js';
import { sha256, toB64u } from '../../src/base/bytes.js';
import { LINK_LIMITS } from '../../src/link.js';
import { LOG_ENTRIES, LOG_PAGE, type LogDelta, type LogEntry, logDelta } from '../../src/objects/evidence.js';
import { stringify } from '../../src/base/shape.js';
import { codeOf } from '../support/fault.js';

const ANCHOR = bootAnchorContent({ random: toB64u(Buffer.alloc(16)), resetCount: 1, restartCount: 0, nonce: sha256('nonce') });
const entry = (n: number, text = ''): LogEntry => logEntry(n, '01d10300', n === 0 ? ANCHOR : { kind: 'agent_exit', data: { agent_id: 'example.shopper', process: `${n}.1`, text } });
const log = (count: number, from = 0, text = ''): LogDelta => ({ epoch: epochOf(entry(0)), from, entries: Array.from({ length: count }, (_, i) => entry(from + i, text)) });
const join = (pages: readonly LogDelta[], known = 0): LogDelta => pages.reduce<LogDelta | null>((held, page) => addPage(held, page, known), null)!;

describe('a log in pages', () => {
  it.each([0, 1, LOG_PAGE, LOG_PAGE + 1, 3000])('of %i entries is what it was when they are joined', (count) => {
    const { before, last } = pagesOf(log(count, 7));
    expect([...before, last].every(({ entries }) => entries.length <= LOG_PAGE)).toBe(true);
    expect(join([...before, last], 7)).toEqual(log(count, 7));
  });

  it('whose entries are large is cut so that a page and a platform part with its logs are one message', () => {
    const large = log(100, 0, 'x'.repeat(11_000));
    const { before, last } = pagesOf(large);
    expect(before.length).toBeGreaterThan(0);
    for (const page of [...before, last]) expect(stringify(logDelta, page).length + 2 * 1_048_576).toBeLessThan(LINK_LIMITS.messageBytes);
    expect(join([...before, last])).toEqual(large);
  });

  const [first, second, third] = [log(10), log(10, 10), log(10, 20)];
  it.each<[string, LogDelta[], number, string]>([
    ['that leaves one out', [first, third], 0, 'log.gap'],
    ['in another order', [second, first], 0, 'log.gap'],
    ['shown twice, the second time beyond what is known', [first, second, second], 0, 'log.gap'],
    ['of two epochs', [first, { ...second, epoch: epochOf(entry(1)) }], 0, 'log.gap'],
    ['that begin after what is known', [second], 9, 'log.gap'],
    ['with an entry that its digest does not fit', [{ ...first, entries: [...first.entries.slice(0, 9), { ...entry(9), content: entry(8).content }] }], 0, 'log.digest'],
    ['with an entry of another number', [{ ...first, entries: [...first.entries.slice(0, 9), entry(8)] }], 0, 'log.entry'],
    ['of more entries than a bundle can carry', [{ ...first, from: LOG_ENTRIES - 9 }], LOG_ENTRIES, 'log.too_long'],
  ])('%s is refused', (_, pages, known, code) => {
    expect(codeOf(() => join(pages, known))).toBe(code);
  });

  it('may begin anew among what is known', () => {
    expect(join([log(10), log(10, 10), log(5, 3), log(12, 8)], 8)).toEqual(log(17, 3));
  });
});

it('a log longer than anyone could be shown is refused, whether it comes in pages or with payments', () => {
  const head = { epoch: epochOf(entry(0)), nextN: LOG_ENTRIES - 1, register: '00'.repeat(32), resetCount: 1, restartCount: 0 };
  expect(extendHead(head, { ...log(1, LOG_ENTRIES - 1), epoch: head.epoch }).head.nextN).toBe(LOG_ENTRIES);
  expect(codeOf(() => extendHead(head, { ...log(2, LOG_ENTRIES - 1), epoch: head.epoch }))).toBe('log.too_long');
});
