/** What a verifier's core spends on one payment's evidence, beside the signature check that it contains. */
import { verify } from 'node:crypto';
import { Public, Signature, decode, publicKeyOf } from '@ari-sidecar/tpm2';
import { appraisePayment, appraisePlatform, keptOf } from '../../attest/verify/index.js';
import type { PaymentInput, PlatformInput } from '../../attest/types.js';
import { fromB64u, sha256 } from '../../src/base/bytes.js';
import { parse, stringify } from '../../src/base/shape.js';
import { type Attestation, paymentEvidence } from '../../src/objects/evidence.js';
import { TEST_POLICY, TestDevice } from '../support/device.js';
import { VERIFIER } from '../support/examples.js';
import { interleave, median, perSecond, ratioOf, row, type Row } from './harness.js';

/** What the verifier is asked when an enrolled device connects, and then when it pays: with what was kept of the connection. */
export async function paymentCase(device: TestDevice): Promise<{ platform: PlatformInput; payment: PaymentInput }> {
  const nonce = sha256('connection');
  const evidence = await device.platform({ nonce });
  const platform: PlatformInput = { evidence, log: device.delta(), nonce, aud: VERIFIER, device: device.known(), policy: TEST_POLICY, connection: true };
  const { appraisal, next } = appraisePlatform(platform);
  if (next === null) throw new Error(appraisal.findings[0]?.message);
  const paid = await device.pay(evidence, { logFrom: next.head.nextN });
  const { nonce: fresh, aud, paymentSha256, mandateSha256, closedSha256, jkt } = paid.payment.binding;
  const known = { ...device.known(), clock: next.clock, head: next.head, latest: next.head };
  const payment: PaymentInput = {
    evidence: paid, expected: { nonce: fresh, aud, paymentSha256, mandateSha256, closedSha256, jkt }, device: known, platform: keptOf(evidence, appraisal), manifest: device.manifest, policy: TEST_POLICY,
  };
  return { platform, payment };
}

const bytes = (text: string): Buffer => fromB64u(text) ?? Buffer.alloc(0);

/** Nothing but node:crypto, with the key imported and the signature unpacked beforehand. */
function bareCheck(device: TestDevice, attestations: readonly (Attestation | null)[]): () => void {
  const key = publicKeyOf(decode(Public, bytes(device.record.value.akPublic)));
  const checks = attestations.flatMap((each) => {
    if (each === null) return [];
    const signature = decode(Signature, bytes(each.signature));
    if (signature.sigAlg !== 'ecdsa') throw new TypeError('this key signs with ECDSA');
    return [{ data: bytes(each.attest), raw: Buffer.concat([pad(signature.signatureR), pad(signature.signatureS)]) }];
  });
  return () => {
    for (const { data, raw } of checks) if (!verify('sha256', data, { key, dsaEncoding: 'ieee-p1363' }, raw)) throw new Error('the signature is wrong');
  };
}

const pad = (scalar: Buffer): Buffer => Buffer.concat([Buffer.alloc(32 - scalar.length), scalar]);

/** From the text that came over the link, as the verifier does it: the platform part, which serves many payments, was read before. */
function fromText(payment: PaymentInput): () => void {
  const text = stringify(paymentEvidence, payment.evidence.payment);
  return () => assertGood(appraisePayment({ ...payment, evidence: { ...payment.evidence, payment: parse(paymentEvidence, text) } }));
}

function assertGood({ authentic, code }: { authentic: boolean; code: string | null }): void {
  if (!authentic || code !== null) throw new Error(`the evidence was refused: ${code}`);
}

export async function run(): Promise<Row[]> {
  const device = await TestDevice.start();
  const { platform, payment } = await paymentCase(device);
  await device.stop();
  const { register, counter, quote } = platform.evidence;
  const bare = 'crypto.verify of its one signature';
  const samples = await interleave({
    one: bareCheck(device, [payment.evidence.payment.register]),
    three: bareCheck(device, [quote, register, counter]),
    kept: () => assertGood(appraisePayment(payment)),
    text: fromText(payment),
    platform: () => { if (!appraisePlatform(platform).appraisal.authentic) throw new Error('the platform was refused'); },
  }, { rounds: 40, calls: 250, warm: 20 });
  const rate = (name: keyof typeof samples): number => perSecond(median(samples[name]));
  return [
    row('payments appraised, platform kept', rate('kept'), '/s', { beside: { what: bare, value: rate('one') }, ratio: ratioOf(samples.one, samples.kept), headline: true }),
    row('the same from the JSON text of the payment', rate('text'), '/s', { beside: { what: bare, value: rate('one') }, ratio: ratioOf(samples.one, samples.text) }),
    row('connections appraised: quote, register, counter', rate('platform'), '/s', { beside: { what: 'crypto.verify of its three signatures', value: rate('three') }, ratio: ratioOf(samples.three, samples.platform) }),
  ];
}
