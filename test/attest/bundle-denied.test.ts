/** What an auditor finds in a bundle of a payment that was denied, or waits for its user. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { finding } from '../../src/base/fault.js';
import { type BundleReport, verifyBundle } from '../../attest/bundle.js';
import type { Bundle, Edge } from '../../src/objects/bundle.js';
import { type Built, type Changes, buildBundle } from '../support/bundle.js';
import { TRUST, startDevice } from '../support/parties.js';
import type { TestDevice } from '../support/device.js';
import { ATTACKS, other } from './support/bundle-attacks.js';

let device: TestDevice;
let honest: Built;
beforeAll(async () => {
  device = await startDevice();
  honest = await buildBundle(device);
});
afterAll(() => device.stop());

const whatOf = ({ edges }: BundleReport, edge: Edge): string => edges.find((each) => each.edge === edge)?.what ?? '';

describe('a bundle of a payment that was not permitted', () => {
  it('holds for a denial, with what is not there', async () => {
    const { text, ruling } = await buildBundle(device, { intent: (i) => ({ ...i, amount: { ...i.amount, amount: 90_000n } }) });
    expect(ruling).toMatchObject({ decision: 'deny', code: 'mandate.amount' });
    const report = verifyBundle(text, TRUST);
    expect(report).toMatchObject({ ok: true, verdict: { decision: 'deny', code: 'mandate.amount', settled: false } });
    expect(whatOf(report, 'execution-decision')).toBe('not applicable: there is no execution');
  });

  it('holds for an agent that is not the authorised one: that is what was denied', async () => {
    const { text } = await buildBundle(device, { mandate: (m) => ({ ...m, agent: { ...m.agent, manifestSha256: other } }) });
    const report = verifyBundle(text, TRUST);
    expect(report).toMatchObject({ ok: true, verdict: { decision: 'deny', code: 'mandate.agent_mismatch' } });
    expect(whatOf(report, 'mandate-agent')).toContain('was not permitted for that');
  });

  it('holds for a changed agent, and says so', async () => {
    const { text } = await buildBundle(device, { claims: (c) => ({ ...c, tree: { ...c.tree, sha256: other, drift: [{ path: 'agent.js', kind: 'changed', sha256: other }] } }) });
    expect(verifyBundle(text, TRUST)).toMatchObject({ ok: true, verdict: { decision: 'deny', code: 'agent.version_not_authorised' } });
  });

  it('holds for evidence that no TPM signed: that is what was denied', async () => {
    const { text } = await buildBundle(device, ATTACKS['attest-ak']['the signature is not by the key']);
    const report = verifyBundle(text, TRUST);
    expect(report).toMatchObject({ ok: true, verdict: { decision: 'deny', code: 'quote.signature', tier: null } });
    expect(whatOf(report, 'attest-ak')).toContain('was not permitted for that');
  });

  it('holds for a nonce that was used, and for a mandate that this device never had: the verifier is believed when it denies', async () => {
    const replayed = await buildBundle(device, { refusal: finding('nonce.used') });
    expect(verifyBundle(replayed.text, TRUST)).toMatchObject({ ok: true, verdict: { decision: 'deny', code: 'nonce.used', tier: null } });
    const unregistered = await buildBundle(device, { unregistered: true });
    expect(verifyBundle(unregistered.text, TRUST)).toMatchObject({ ok: true, verdict: { decision: 'deny', code: 'mandate.unknown' } });
  });

  it('is refused when a denial was made up, with a reason that the law does not give', async () => {
    const { text } = await buildBundle(device, { decision: (d) => ({ ...d, decision: 'deny', code: 'carrier.frozen' }) });
    expect(verifyBundle(text, TRUST).firstBroken).toBe('decision-inputs');
  });

  it('holds while it waits for the user, and after she confirmed', async () => {
    const above: Changes = { carrier: (c) => ({ ...c, rules: { ...c.rules, confirmAbove: 100n } }) };
    expect(verifyBundle((await buildBundle(device, above)).text, TRUST)).toMatchObject({ ok: true, verdict: { decision: 'confirm', code: 'decision.above_confirm' } });
    const report = verifyBundle((await buildBundle(device, { ...above, confirmed: true })).text, TRUST);
    expect(report).toMatchObject({ ok: true, verdict: { decision: 'permit', settled: true } });
    expect(whatOf(report, 'confirmation-intent')).toBe('');
  });

  it('does not excuse what the decision does not name', async () => {
    const changes: Changes = { intent: (i) => ({ ...i, amount: { ...i.amount, amount: 90_000n } }), binding: (b) => ({ ...b, paymentSha256: other }) };
    expect(verifyBundle((await buildBundle(device, changes)).text, TRUST).firstBroken).toBe('binding-intent');
  });

  it('is refused when a token was issued all the same', async () => {
    const denied = await buildBundle(device, { intent: (i) => ({ ...i, amount: { ...i.amount, amount: 90_000n } }) });
    const forged: Bundle = { ...denied.bundle, execution: honest.bundle.execution };
    const { text } = await buildBundle(device, { bundle: () => forged });
    expect(verifyBundle(text, TRUST).firstBroken).toBe('execution-decision');
  });
});
