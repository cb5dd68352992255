/** What an auditor finds in a bundle of a permitted payment, and which edge breaks under which attack. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BundleReport, verifyBundle } from '../../attest/bundle.js';
import { stringify } from '../../src/base/shape.js';
import { bundle as bundleShape, EDGES, type Edge } from '../../src/objects/bundle.js';
import { type Built, type Changes, buildBundle } from '../support/bundle.js';
import { AGENT_KEY, PARTIES, type Party, TRUST, startDevice } from '../support/parties.js';
import { codeOf } from '../support/fault.js';
import type { TestDevice } from '../support/device.js';
import { ATTACKS, flipBytes, line, ruledBy } from './support/bundle-attacks.js';

let device: TestDevice;
let honest: Built;
beforeAll(async () => {
  device = await startDevice();
  honest = await buildBundle(device);
});
afterAll(() => device.stop());

const brokenEdges = ({ edges }: BundleReport): Edge[] => edges.filter(({ ok }) => !ok).map(({ edge }) => edge);
const whatOf = ({ edges }: BundleReport, edge: Edge): string => edges.find((each) => each.edge === edge)?.what ?? '';
/** A payment that the verifier permitted whatever the law says. */
const attacked = async (changes: Changes): Promise<BundleReport> => verifyBundle((await buildBundle(device, { ruling: honest.ruling, ...changes })).text, TRUST);
const flip = (token: string, at: number): string => token.slice(0, at) + (token[at] === 'A' ? 'B' : 'A') + token.slice(at + 1);

describe('a bundle of a permitted and settled payment', () => {
  it('holds in every edge, in the order of the edges', () => {
    const report = verifyBundle(honest.text, TRUST);
    expect(report).toMatchObject({ ok: true, firstBroken: null, verdict: { decision: 'permit', level: 'L3', tier: 'T2', simulated: true, settled: true } });
    expect(report.edges.map(({ edge }) => edge)).toEqual(EDGES);
    expect(report.edges.filter(({ what }) => what !== null).map(({ edge }) => edge)).toEqual(['allowance-mandate', 'allowance-intent', 'binding-allowance', 'confirmation-intent']);
  });

  it('holds before it is settled', async () => {
    const { text } = await buildBundle(device, { bundle: (b) => ({ ...b, execution: null, receipt: null, leaves: [b.leaves[0]!], proofs: [b.proofs[0]!] }) });
    expect(verifyBundle(text, TRUST)).toMatchObject({ ok: true, verdict: { settled: false } });
  });

  for (const edge of EDGES) {
    for (const [attack, changes] of Object.entries(ATTACKS[edge])) {
      it(`names ${edge} when ${attack}`, async () => {
        const report = await attacked(changes);
        expect(report.firstBroken, JSON.stringify(report.edges.filter(({ ok }) => !ok), null, 1)).toBe(edge);
        expect(report).toMatchObject({ ok: false, verdict: null });
      });
    }
  }

  it.each([
    ['mandate', 'mandate-agent'], ['manifest', 'mandate-agent'], ['carrier', 'mandate-carrier'], ['closedMandate', 'closed-mandate'], ['device', 'device-ak'], ['ear', 'ear-evidence'],
    ['policy', 'decision-policy'], ['decision', 'decision-ear'], ['execution', 'execution-decision'], ['receipt', 'receipt-execution'],
  ] as const)('is refused when a character of its %s changes, and names %s', (member, edge) => {
    const token = honest.bundle[member]!;
    const step = Math.max(1, Math.floor(token.length / 16));
    for (let at = 0; at < token.length; at += step) {
      const report = verifyBundle(honest.text.replace(token, flip(token, at)), TRUST);
      expect(report.firstBroken, `character ${at}`).toBe(edge);
    }
  });

  it('is refused when a byte of what the TPM signed, or of its signature, changes', () => {
    const { payment: { register }, platform: { quote } } = honest.bundle.evidence!;
    for (const text of [register!.attest, register!.signature, quote.attest, quote.signature]) {
      for (let at = 0; at < Buffer.from(text, 'base64url').length; at += 13) {
        const report = verifyBundle(honest.text.replace(text, flipBytes(text, at)), TRUST);
        expect(report.ok, `byte ${at}`).toBe(false);
        expect(EDGES.indexOf(report.firstBroken!)).toBeLessThanOrEqual(EDGES.indexOf('attest-ak'));
      }
    }
  });

  it.each(['mandate', 'closedMandate', 'carrier', 'manifest', 'device', 'evidence', 'ear'] as const)('is refused without its %s', async (member) => {
    expect((await attacked({ bundle: (b) => ({ ...b, [member]: null }) })).ok).toBe(false);
  });

  it('is refused with a receipt but without its token', async () => {
    expect((await attacked({ bundle: (b) => ({ ...b, execution: null }) })).firstBroken).toBe('receipt-execution');
  });

  it.each(Object.keys(PARTIES) as Party[])('is refused when the %s signed with a key of another role', async (party) => {
    const wrong = { ...(party === 'settlement' ? PARTIES.carrier : PARTIES.settlement) };
    expect((await attacked({ signers: { [party]: wrong } })).ok).toBe(false);
  });

  it('holds when the carrier was tightened since the mandate was signed, step by step; adjudged by the tightest', async () => {
    const tightened: Changes = { revisions: line([20_000n, 15_000n]), carrier: ruledBy(10_000n, 3) };
    expect(verifyBundle((await buildBundle(device, tightened)).text, TRUST)).toMatchObject({ ok: true, verdict: { decision: 'permit' } });
    const { text } = await buildBundle(device, { ...tightened, carrier: ruledBy(9_899n, 3) });
    expect(verifyBundle(text, TRUST)).toMatchObject({ ok: true, verdict: { decision: 'deny', code: 'carrier.per_payment' } });
    const loosened = await buildBundle(device, { revisions: line([20_000n, 30_000n]), carrier: ruledBy(10_000n, 3) });
    expect(verifyBundle(loosened.text, TRUST)).toMatchObject({ ok: true, verdict: { decision: 'deny', code: 'carrier.rules' } });
  });

  it('is refused when its line of revisions is not the one that the decision was made on', async () => {
    const { bundle } = await buildBundle(device, { revisions: line([20_000n]), carrier: ruledBy(20_000n, 2) });
    expect(verifyBundle(stringify(bundleShape, bundle), TRUST).ok).toBe(true);
    expect(verifyBundle(stringify(bundleShape, { ...bundle, revisions: [] }), TRUST).firstBroken, 'the rules are the same').toBe('decision-inputs');
  });

  it('is judged at the time of its leaf, or at another when asked', () => {
    const later = verifyBundle(honest.text, TRUST, { nowMs: 1_900_000_000_000 });
    expect(later.firstBroken).toBe('mandate-agent');
    expect(whatOf(later, 'mandate-agent')).toContain('not valid at this time');
    expect(verifyBundle(honest.text, TRUST, { nowMs: 1_800_000_060_000 }).ok).toBe(true);
  });
});

describe('what is no bundle', () => {
  it.each([['no JSON', '{'], ['a key twice', '{"v":"ari-bundle-1","v":"ari-bundle-1"}'], ['a float', '{"v":1.5}']])('throws for %s', (_, text) => {
    expect(codeOf(() => verifyBundle(text, TRUST))).toMatch(/^(intake|money)\./);
  });

  it.each([
    ['an unknown member', (b: object) => ({ ...b, extra: 1 }), 'mandate-agent'],
    ['no policy', (b: object) => ({ ...b, policy: null }), 'decision-policy'],
    ['an amount in words', (b: object) => ({ ...b, state: 'enough' }), 'decision-inputs'],
    ['an assertion that nobody checks', (b: object) => ({ ...b, user_assertion: '{}' }), 'confirmation-intent'],
    ['a broken evidence', (b: object) => ({ ...b, evidence: { platform: {} } }), 'binding-intent'],
  ])('names an edge for %s, and holds in none', (_, change, edge) => {
    const report = verifyBundle(JSON.stringify(change(JSON.parse(honest.text) as object)), TRUST);
    expect(report).toMatchObject({ ok: false, firstBroken: edge, verdict: null });
    expect(brokenEdges(report)).toEqual(EDGES);
  });
});

it('the key of the agent signs nothing but the closed mandate', () => {
  expect(TRUST.keys('user', AGENT_KEY.kid)).toBeUndefined();
});
