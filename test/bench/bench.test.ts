import { describe, expect, it } from 'vitest';
import { BENCHES } from './benches.js';
import { eachOf, interleave, median, percentile, ratioOf, row, timed } from './harness.js';
import { document, excerpt, quantity, table, withBlock } from './report.js';

const rows = [
  row('a quote', 0.31, 'ms', { beside: { what: 'bare socket', value: 0.28 }, ratio: 1.1, headline: true }),
  row('a quote', 0.31, 'ms', { beside: { what: 'ESYS', value: null } }),
  row('leaves', 12_345, '/s', { beside: { what: 'disk', value: 24_690 } }),
];
const sections = [{ name: 'tpm', title: 'TPM commands', about: 'Side by side.', rows }];
const machine = { cores: 2, cpu: 'a processor', memoryGB: 4, node: '20.19.0', platform: 'Linux 6.1 x64' };

describe('the harness', () => {
  it('runs what it compares in turn, turned around every other round, and leaves the first round out', async () => {
    const order: string[] = [];
    const samples = await interleave({ a: () => order.push('a'), b: async () => { order.push('b'); } }, { rounds: 2, calls: 2 });
    expect(order.join('')).toBe('bbaa' + 'aabb' + 'bbaa');
    expect([samples.a.length, samples.b.length]).toEqual([2, 2]);
  });

  it('waits for what takes time', async () => {
    const wait = (): Promise<void> => new Promise((done) => { setTimeout(done, 20); });
    expect(await timed(wait)).toBeGreaterThan(15);
    expect(median(await eachOf(3, wait))).toBeGreaterThan(15);
  });

  it('takes percentiles by nearest rank, and none of nothing', () => {
    const samples = Array.from({ length: 100 }, (_, n) => 100 - n);
    expect([percentile(samples, 50), percentile(samples, 99), percentile(samples, 100), median([3, 1, 2])]).toEqual([50, 99, 100, 2]);
    expect(() => percentile([], 50)).toThrow(RangeError);
  });

  it('compares neighbours, so that a moment that slows both does not count', () => {
    expect(ratioOf([2, 200, 2], [1, 100, 1])).toBe(2);
  });
});

describe('the report', () => {
  it('writes quantities as people read them', () => {
    expect([quantity(0.0312, 'ms'), quantity(1234.5, 'ms'), quantity(12_345.6, '/s'), quantity(41.26, 'MB')]).toEqual(['31.2 µs', '1,235 ms', '12,346/s', '41.3 MB']);
  });

  it('says openly what could not be compared here', () => {
    expect(table(rows).split('\n').slice(2)).toEqual(['| a quote | 310 µs | 280 µs: bare socket | 1.1 |', '| a quote | 310 µs | not installed here: ESYS |  |', '| leaves | 12,345/s | 24,690/s: disk | 0.5 |']);
  });

  it('shows every row in the document and the chosen ones in the README', () => {
    expect(document(sections, machine)).toContain(table(rows));
    expect(excerpt(sections, machine)).toContain('| a quote | 310 µs | 280 µs');
    expect(excerpt(sections, machine)).not.toContain('leaves');
  });

  it('replaces the block between the markers and nothing else; a text without markers is left alone', () => {
    const text = 'before\n<!-- bench:begin -->\nold\n<!-- bench:end -->\nafter\n';
    expect(withBlock(text, 'new')).toBe('before\n<!-- bench:begin -->\nnew\n<!-- bench:end -->\nafter\n');
    expect(withBlock('no markers', 'new')).toBeNull();
  });
});

it('every benchmark loads, under a name of its own', () => {
  expect(BENCHES.map(({ run }) => typeof run)).toEqual(BENCHES.map(() => 'function'));
  expect(new Set(BENCHES.map(({ name }) => name)).size).toBe(BENCHES.length);
});
