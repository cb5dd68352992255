import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { templates } from '@ari-sidecar/tpm2';
import { sha256 } from '../../src/base/bytes.js';
import { type Evidence, type PlatformEvidence, bindingLeaf, binding as bindingShape, qualifyingData } from '../../src/objects/evidence.js';
import type { KnownDevice, PaymentResult, PlatformResult } from '../../attest/types.js';
import { appraisePayment, appraisePlatform, keptOf } from '../../attest/verify/index.js';
import { TEST_POLICY, TestDevice } from '../support/device.js';
import { VERIFIER } from '../support/examples.js';

const nonce = sha256('connection');
let device: TestDevice;
let platform: PlatformEvidence;
let appraised: PlatformResult;
let known: KnownDevice;

beforeAll(async () => {
  device = await TestDevice.start({ register: false, certificate: false, ak: templates.akRsa2048 });
  platform = await device.platform({ nonce });
  appraised = appraisePlatform({ evidence: platform, log: device.delta(), nonce, aud: VERIFIER, device: device.known(), policy: TEST_POLICY, connection: true });
  known = device.known({ clock: appraised.next!.clock, head: appraised.next!.head, latest: appraised.next!.head });
});
afterAll(() => device.stop());

function judge(evidence: Evidence): PaymentResult {
  const { nonce: n, aud, paymentSha256, mandateSha256, closedSha256, jkt } = evidence.payment.binding;
  return appraisePayment({ evidence, expected: { nonce: n, aud, paymentSha256, mandateSha256, closedSha256, jkt }, device: known, platform: keptOf(platform, appraised.appraisal), manifest: device.manifest, policy: TEST_POLICY });
}

describe('a TPM without EK certificate, register and counter, with an RSA key', () => {
  it('is at tier T1 and a warning that names what is missing, never a pass', () => {
    expect(appraised.appraisal).toMatchObject({ authentic: true, tier: 'T1', status: 'warning', ctr: null });
    expect(appraised.appraisal.findings.map(({ code }) => code)).toEqual(['device.unchained', 'register.missing']);
    expect(appraised.appraisal.vector).toMatchObject({ hardware: 32, configuration: 36 });
  });

  it('binds a payment by a quote made for it', async () => {
    const result = judge(await device.pay(platform));
    expect(result).toMatchObject({ authentic: true, tier: 'T1', status: 'warning', code: 'device.unchained', agent: { status: 'affirming' } });
    expect(result.next!.clock.seq).toBeGreaterThan(0);
  });

  it('is judged offline as it was online', async () => {
    const evidence = await device.pay(platform);
    const { nonce: n, aud, paymentSha256, mandateSha256, closedSha256, jkt } = evidence.payment.binding;
    const expected = { nonce: n, aud, paymentSha256, mandateSha256, closedSha256, jkt };
    const offline = appraisePayment({ evidence, expected, device: device.known(), platform: null, manifest: device.manifest, policy: TEST_POLICY });
    expect(offline).toMatchObject({ authentic: true, tier: 'T1', status: 'warning', code: 'device.unchained' });
  });

  it('does not bind a payment by a quote made for a platform, nor for another payment', async () => {
    const evidence = await device.pay(platform);
    const root = bindingLeaf(bindingShape, evidence.payment.binding);
    const withQuote = async (data: Buffer): Promise<Evidence> => ({ ...evidence, payment: { ...evidence.payment, quote: await device.quote(data) } });
    expect(judge(await withQuote(qualifyingData('quote', root))).code).toBe('quote.nonce');
    expect(judge(await withQuote(qualifyingData('payment', Buffer.alloc(32)))).code).toBe('quote.nonce');
    const { attest, signature } = platform.quote;
    expect(judge({ ...evidence, payment: { ...evidence.payment, quote: { attest, signature } } }).code).toBe('quote.nonce');
    expect(judge({ ...evidence, payment: { ...evidence.payment, quote: null } }).code).toBe('quote.malformed');
  });
});
