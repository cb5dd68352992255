import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { explainBundle } from '../../attest/bundle.js';
import { EDGE_WORDS } from '../../attest/bundle/words.js';
import { finding } from '../../src/base/fault.js';
import { EDGES } from '../../src/objects/bundle.js';
import { type Changes, buildBundle } from '../support/bundle.js';
import { TRUST, startDevice } from '../support/parties.js';
import type { TestDevice } from '../support/device.js';

let device: TestDevice;
beforeAll(async () => { device = await startDevice(); });
afterAll(() => device.stop());

const explained = async (changes: Changes = {}) => {
  const { report, sections } = explainBundle((await buildBundle(device, changes)).text, TRUST);
  return { report, titles: sections.map(({ title }) => title), text: sections.flatMap(({ lines }) => lines).join('\n') };
};

describe('a bundle in plain words', () => {
  it('tells of a payment what happened, who authorised it, what was proven and decided, and who answers for it', async () => {
    const { titles, text } = await explained();
    expect(titles).toEqual(['What happened', 'Who authorised it', 'What was proven', 'What was decided', 'Who answers for it']);
    expect(text).toMatch(/asked to pay 99\.00 CNY to merchant_1 at https:\/\/flowers\.example/);
    for (const part of ['It was permitted, and', 'were paid on', 'signed mandate mnd_', '- at most', 'no other program', 'L3: the agent begins payments by itself', 'carrier crr_', 'tier T2', 'simulated', 'checks passed', 'as leaf 2 of', 'Publisher', 'Settlement']) expect(text).toContain(part);
    expect(text).not.toMatch(/undefined|\[object|null|\{\w+\}/);
  });

  it('tells of a refusal why, at whom it points, and what mends it', async () => {
    const { report, text } = await explained({ intent: (i) => ({ ...i, amount: { ...i.amount, amount: 9_999_900n } }) });
    expect(report.verdict?.decision).toBe('deny');
    expect(text).toContain('It was refused: 99999.00 CNY is over');
    expect(text).toMatch(/- payment\.amount_range \(refuses\): 99999\.00 CNY is over the mandate's limit/);
    expect(text).toMatch(/points to: agent\. What mends it: pay less/);
    expect(text).not.toContain('were paid');
  });

  it('tells of a payment that waits for its user', async () => {
    const { report, text } = await explained({ mandate: (m) => ({ ...m, level: 'L2' }) });
    expect(report.verdict?.decision).toBe('confirm');
    expect(text).toContain('asked to confirm it');
    expect(text).toContain('(asks the user)');
  });

  it('tells who confirmed', async () => {
    expect((await explained({ mandate: (m) => ({ ...m, level: 'L2' }), confirmed: true })).text).toMatch(/user usr_\w+ confirmed exactly this payment/);
  });

  it('claims nothing of evidence that was not believed', async () => {
    const { report, text } = await explained({ refusal: finding('nonce.used') });
    expect(report.verdict?.decision).toBe('deny');
    expect(text).toContain('Nothing: the evidence of the device was not believed');
    expect(text).toContain('the nonce was used before');
  });

  it('tells of a broken bundle what does not hold, and believes nothing else', async () => {
    const { report, titles, text } = await explained({ bundle: (b) => ({ ...b, receipt: b.receipt!.slice(0, -2) + (b.receipt!.endsWith('AA') ? 'BA' : 'AA') }) });
    expect([report.ok, titles[0]]).toEqual([false, 'This file proves nothing']);
    expect(text).toContain(`It does not hold that ${EDGE_WORDS['receipt-execution']}`);
    expect(text).not.toMatch(/paid|CNY|merchant/);
  });

  it('tells of a file that is no bundle at all the same', () => {
    const { report, sections } = explainBundle('{}', TRUST);
    expect([report.ok, sections[0]?.title]).toEqual([false, 'This file proves nothing']);
  });

  it('has words for every edge, each its own', () => {
    expect(new Set(Object.values(EDGE_WORDS)).size).toBe(EDGES.length);
  });
});
