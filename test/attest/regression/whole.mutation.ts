/**
 * The whole mutation of one payment's evidence and its platform part: each bit of each byte of the TPM's structures and of the text on the wire, and each length
 * that either is cut to. Everything is refused with a code, nothing crashes, and nothing takes long.
 */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Code, isCode } from '../../../src/codes.js';
import { Mutants } from '../support/mutants.js';

/** Milliseconds of CPU for one judgement. An honest one takes about one; a collection of garbage may fall into it. */
const LONG = 250;

/** Judges forgeries and counts how each was refused. */
class Tally {
  readonly counts = new Map<string, number>();
  readonly accepted: string[] = [];
  slowest = 0;

  take(what: string, judge: () => Code | null): void {
    const from = process.cpuUsage();
    const code = judge();
    const { user, system } = process.cpuUsage(from);
    this.slowest = Math.max(this.slowest, (user + system) / 1000);
    if (code === null || !isCode(code)) this.accepted.push(what);
    this.counts.set(code ?? 'accepted', (this.counts.get(code ?? 'accepted') ?? 0) + 1);
  }

  flips(what: string, bytes: Buffer, judge: (flipped: Buffer) => Code | null): void {
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      this.take(`${what}, byte ${bit >> 3}, bit ${bit & 7}`, () => judge(flipped));
    }
  }

  cuts(what: string, bytes: Buffer, judge: (cut: Buffer) => Code | null): void {
    for (let length = 0; length < bytes.length; length++) this.take(`${what}, cut to ${length}`, () => judge(bytes.subarray(0, length)));
  }

  /** Says what was found, and that nothing was accepted or slow. */
  close(title: string): void {
    const rows = [...this.counts].sort((a, b) => b[1] - a[1]).map(([code, n]) => `  ${String(n).padStart(7)}  ${code}`);
    const total = [...this.counts.values()].reduce((sum, n) => sum + n, 0);
    process.stdout.write(`\n${title}: ${total} forgeries, the slowest judged in ${this.slowest.toFixed(1)} ms\n${rows.join('\n')}\n`);
    expect(this.accepted).toEqual([]);
    expect(this.slowest).toBeLessThan(LONG);
  }
}

let mutants: Mutants;
beforeAll(async () => { mutants = await Mutants.start(); });
afterAll(() => mutants.device.stop());

describe('each bit', () => {
  it('of the TPM structures', () => {
    const tally = new Tally();
    for (const { what, bytes, judge } of mutants.parts()) tally.flips(what, bytes, judge);
    tally.close('bits of TPM structures');
  });

  it('of a platform part on the wire', () => {
    const tally = new Tally();
    tally.flips('platform', Buffer.from(mutants.platformWire), (wire) => mutants.judgePlatformText(wire));
    tally.close('bits of a platform part');
  });

  it('of a payment on the wire', () => {
    const tally = new Tally();
    tally.flips('payment', Buffer.from(mutants.wire), (wire) => mutants.judge(wire));
    tally.close('bits of a payment');
  });
});

describe('each length', () => {
  it('of the TPM structures', () => {
    const tally = new Tally();
    for (const { what, bytes, judge } of mutants.parts()) tally.cuts(what, bytes, judge);
    tally.close('cut TPM structures');
  });

  it('of a platform part and of a payment on the wire', () => {
    const tally = new Tally();
    tally.cuts('platform', Buffer.from(mutants.platformWire), (wire) => mutants.judgePlatformText(wire));
    tally.cuts('payment', Buffer.from(mutants.wire), (wire) => mutants.judge(wire));
    tally.close('cut text');
  });
});

it('what was not changed is accepted', () => {
  expect([mutants.judge(mutants.wire), mutants.judgePlatformText(mutants.platformWire)]).toEqual([null, null]);
});
