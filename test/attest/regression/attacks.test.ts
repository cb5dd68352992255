/** Attacks on what a TPM attests, performed with a real software TPM by whoever holds the machine and the key's authorisation. */
import { Attest, Hash, NV_Extend, PCR_Reset, Public, RC, RH, Sign, Signature, counterPublic, decode, encode, policySecretDigest } from '@ari-sidecar/tpm2';
import { afterAll, beforeAll, expect } from 'vitest';
import { sha256, toB64u } from '../../../src/base/bytes.js';
import { type Evidence, type LogDelta, type PlatformEvidence, platformQualifyingData } from '../../../src/objects/evidence.js';
import { checkEnrolment, onlyRoots } from '../../../attest/enrol/index.js';
import type { KeptPlatform, KnownDevice, PaymentInput } from '../../../attest/types.js';
import { appraisePayment, keptOf } from '../../../attest/verify/index.js';
import { platformBench, softwareKey } from '../../support/appraisal.js';
import { TEST_POLICY, TestDevice, certificateTime } from '../../support/device.js';
import { codeOf } from '../../support/fault.js';
import { dreamt, quoteOf, unrestrictedKey, withQuote } from './forgery.js';
import { isCheckedQuote, isDigestOfSelected, isSignedBy } from './naive.js';
import { row } from './rows.js';

const nonce = sha256('platform nonce');
const CLEAN = { '0': '01'.repeat(32), '4': '02'.repeat(32), '7': '03'.repeat(32) };
let device: TestDevice;
let other: TestDevice;
let good: PlatformEvidence;
let bench: ReturnType<typeof platformBench>;
let known: KnownDevice;
let kept: KeptPlatform;
const refusal: typeof bench.refusal = (overrides) => bench.refusal(overrides);

beforeAll(async () => {
  [device, other] = await Promise.all([TestDevice.start({ ek: 'ekP256' }), TestDevice.start({ ek: 'ekP256' })]);
  await device.measure('agent_start');
  good = await device.platform({ nonce });
  bench = platformBench(device, good);
  const { appraisal, next } = bench.appraise();
  kept = keptOf(good, appraisal);
  known = device.known({ clock: next!.clock, head: next!.head, latest: next!.head });
});
afterAll(() => Promise.all([device.stop(), other.stop()]));

/** The code against a payment that is expected to be exactly what it says; null when there is none. */
function judged(evidence: Evidence, changes: Partial<PaymentInput['expected']> = {}, overrides: Partial<PaymentInput> = {}): string | null {
  const { nonce: over, aud, paymentSha256, mandateSha256, closedSha256, jkt } = evidence.payment.binding;
  const expected = { nonce: over, aud, paymentSha256, mandateSha256, closedSha256, jkt, ...changes };
  return appraisePayment({ evidence, expected, device: known, platform: kept, manifest: device.manifest, policy: TEST_POLICY, ...overrides }).code;
}

row('magic', 'a quote that a plain software key signed, with another magic', () => {
  const { record, sign } = softwareKey(device);
  const { attest, pcrs } = dreamt(good, CLEAN);
  attest.writeUInt32BE(0x00544347);
  const forged = sign(attest);
  expect(isCheckedQuote(decode(Public, Buffer.from(record.value.akPublic, 'base64url')), forged, quoteOf(good).extraData)).toBe(true);
  const evidence = { ...good, quote: { ...good.quote, ...forged, pcrs } };
  expect([refusal({ evidence }), refusal({ evidence, device: device.known({ record }) })]).toEqual(['quote.signature', 'quote.magic']);
});

row('NV_Certify as a quote', 'and a quote as the certification of the register', async () => {
  const forged = await device.certify('register', quoteOf(good).extraData);
  expect(isCheckedQuote(device.akPublic, forged, quoteOf(good).extraData)).toBe(true);
  expect(refusal({ evidence: withQuote(good, forged) })).toBe('quote.type');
  expect(refusal({ evidence: { ...good, register: await device.quote(platformQualifyingData('register', good.binding)) } })).toBe('register.type');
});

row('non-restricted AK', 'a key of the same TPM signs what its owner wrote: it verifies, and is neither enrolled nor enrollable', async () => {
  const key = await unrestrictedKey(device);
  const { attest, pcrs } = dreamt(good, CLEAN);
  const forged = await key.sign(attest);
  expect(isCheckedQuote(key.area, forged, quoteOf(good).extraData)).toBe(true);
  expect(refusal({ evidence: { ...good, quote: { ...good.quote, ...forged, pcrs } } })).toBe('quote.signature');
  const begin = { ...device.begin, akPublic: toB64u(encode(Public, key.area)), registerPublic: null, counterPublic: null };
  expect(codeOf(() => checkEnrolment(begin, onlyRoots(device.roots), certificateTime()))).toBe('enrol.ak_attributes');
});

row('restricted AK signing', 'the enrolled key signs any text that is no attestation: what it signed is no quote', async () => {
  const sign = async (text: Buffer) => {
    const { outHash: digest, validation } = await device.tpm.run(Hash, {}, { data: text, hashAlg: 'sha256', hierarchy: RH.OWNER });
    return (await device.tpm.run(Sign, { keyHandle: device.key }, { digest, inScheme: { scheme: 'null' }, validation })).signature;
  };
  const text = Buffer.from('{"payment":"permitted"}');
  const harmless = { attest: toB64u(text), signature: toB64u(encode(Signature, await sign(text))) };
  expect(isSignedBy(device.akPublic, harmless)).toBe(true);
  expect(refusal({ evidence: withQuote(good, harmless) })).toBe('quote.magic');
  await expect(sign(dreamt(good, CLEAN).attest), 'the TPM gives no ticket for what looks like an attestation').rejects.toMatchObject({ base: RC.TICKET });
});

row('replay', 'evidence of yesterday under the nonce of today, and evidence of a moment ago', async () => {
  expect(isCheckedQuote(device.akPublic, good.quote, quoteOf(good).extraData)).toBe(true);
  expect(refusal({ nonce: sha256('today') })).toBe('binding.mismatch');
  expect(refusal({ nonce: sha256('today'), evidence: { ...good, binding: { ...good.binding, nonce: sha256('today') } } })).toBe('quote.nonce');
  const paid = await device.pay(good, { logFrom: 2, seq: 7 });
  expect(judged(paid)).toBeNull();
  expect(judged(paid, {}, { device: { ...known, clock: { ...known.clock!, seq: 7 } } })).toBe('clock.sequence');
});

row('splice', 'evidence for one payment used for another', async () => {
  const small = await device.pay(good, { logFrom: 2, paymentSha256: sha256('one yuan') });
  const paymentSha256 = sha256('a million');
  const spliced = { ...small, payment: { ...small.payment, binding: { ...small.payment.binding, paymentSha256 } } };
  expect(isSignedBy(device.akPublic, spliced.payment.register!)).toBe(true);
  expect([judged(small), judged(small, { paymentSha256 }), judged(spliced)]).toEqual([null, 'binding.mismatch', 'quote.nonce']);
});

row('PCRs outside the selection', 'a value that no signature covers, and a selection that leaves one out', async () => {
  const shown = { ...good.quote.pcrs, '11': 'ab'.repeat(32) };
  expect(isDigestOfSelected(good.quote, shown)).toBe(true);
  expect(refusal({ evidence: { ...good, quote: { ...good.quote, pcrs: shown } } })).toBe('quote.selection');
  expect(refusal({ evidence: await device.platform({ nonce, pcrs: [0, 4] }) })).toBe('quote.selection');
});

row('PCR bank carte blanche', 'a quote of another bank than was asked for, and one whose PCR 0 nobody extended', async () => {
  expect(refusal({ evidence: { ...good, quote: { ...good.quote, bank: 'sha384', pcrs: await device.pcrs([0, 4, 7], 'sha384') } } })).toBe('quote.selection');
  const { record, sign } = softwareKey(device);
  const { attest, pcrs } = dreamt(good, { ...CLEAN, '0': '00'.repeat(32) });
  expect(refusal({ evidence: { ...good, quote: { ...good.quote, ...sign(attest), pcrs } }, device: device.known({ record }) })).toBe('quote.pcr_unused');
});

row('PCR 16/23 reset by a local process', 'a PCR with the measurements of an agent is emptied and filled anew; the register is not', async () => {
  const honest = Buffer.alloc(32, 7);
  await device.extendPcr(16, honest);
  const { 16: before } = await device.pcrs([16]);
  await device.extendPcr(16, Buffer.alloc(32, 66));
  await device.tpm.run(PCR_Reset, { pcrHandle: 16 }, {});
  await device.extendPcr(16, honest);
  expect((await device.pcrs([16]))[16], 'nothing is left of what was measured between').toBe(before);
  await device.measure('agent_drift', { path: '/bad' });
  const area = await device.tpm.entity(0x01d10300);
  await expect(device.tpm.run(NV_Extend, { authHandle: area, nvIndex: area }, { data: honest })).rejects.toMatchObject({ base: RC.AUTH_UNAVAILABLE });
  const evidence = await device.pay(good, { logFrom: 2 });
  expect(judged(evidence), 'the register tells of it').toBeNull();
  const hidden = { ...evidence, payment: { ...evidence.payment, log: { ...evidence.payment.log, entries: [] } } };
  expect(judged(hidden)).toBe('binding.mismatch');
  device.log.pop();
  expect(judged(await device.pay(good, { logFrom: 2 }))).toBe('register.value');
  await device.rewriteRegister(device.log);
});

row('NV redefine', 'the register undefined, defined again under the same Name and given a clean history', async () => {
  const honest = device.log;
  await device.beginEpochAgain();
  const fresh = await device.platform({ nonce, counter: false });
  const unknowing = { evidence: fresh, log: device.delta(), connection: false };
  expect(refusal(unknowing), 'to who remembers nothing it is a register like any other').toBe('accepted');
  expect(refusal({ ...unknowing, device: device.known({ latest: known.latest }) })).toBe('log.anchor');
  await device.rewriteRegister(honest.slice(0, 1));
  expect(judged(await device.pay(good, { logFrom: 0 }))).toBe('log.truncated');
  await device.rewriteRegister(honest);
});

row('uninitialised NV', 'a register that was never extended cannot be certified; evidence without it is refused, and so is the zero that it never held', async () => {
  const honest = device.log;
  await device.rewriteRegister([]);
  await expect(device.certify('register', platformQualifyingData('register', good.binding))).rejects.toMatchObject({ base: RC.NV_UNINITIALIZED });
  await device.rewriteRegister(honest);
  expect(refusal({ evidence: { ...good, register: null } })).toBe('register.missing');
  const honestAttest = decode(Attest, Buffer.from(good.register!.attest, 'base64url')) as Extract<Attest, { type: 'nv' }>;
  const zero = encode(Attest, { ...honestAttest, attested: { ...honestAttest.attested, nvContents: Buffer.alloc(32) } });
  expect(refusal({ evidence: { ...good, register: { attest: toB64u(zero), signature: good.register!.signature } } })).toBe('quote.signature');
});

row('counter rollback', 'the counter deleted and made again goes on above its old value, and an old value is refused', async () => {
  expect(counterPublic(0x01d10301, policySecretDigest(device.akName)).attributes.orderly, 'it is in NV, not in RAM').toBe(false);
  const ctr = known.clock!.ctr!;
  const again = await device.platform({ nonce });
  expect(refusal({ evidence: again, device: { ...known, clock: { ...known.clock!, clock: 0n } } })).toBe('ctr.not_increased');
  await device.increment();
  const { appraisal } = bench.appraise({ evidence: await device.platform({ nonce }), device: known });
  expect(appraisal.ctr).toBeGreaterThan(ctr);
});

row('cuckoo/relay', 'the genuine evidence of another clean machine, and of this one for another verifier or another agent’s key', async () => {
  const clean = await other.platform({ nonce });
  expect(isCheckedQuote(other.akPublic, clean.quote, quoteOf(clean).extraData)).toBe(true);
  expect(refusal({ evidence: clean, log: other.delta() })).toBe('quote.signature');
  expect(judged({ ...(await other.pay(clean)) })).toBe('device.unknown');
  expect(refusal({ aud: 'https://other.example' })).toBe('binding.mismatch');
  expect(judged(await device.pay(good, { logFrom: 2 }), { jkt: sha256('the relay’s key') })).toBe('binding.mismatch');
});

row('nonce size', 'what is signed is the hash of the whole binding: a raw nonce, a longer or a shorter one is refused', async () => {
  const wanted = platformQualifyingData('quote', good.binding);
  expect(wanted).toHaveLength(32);
  for (const data of [Buffer.from(nonce, 'base64url'), wanted.subarray(0, 20), Buffer.concat([wanted, wanted]), Buffer.alloc(0)]) {
    const quote = await device.quote(data);
    expect(isCheckedQuote(device.akPublic, quote, data)).toBe(true);
    expect(refusal({ evidence: withQuote(good, quote) })).toBe('quote.nonce');
  }
});

row('clock/reset games', 'evidence of an earlier boot, though a reset sets the restart count back and each boot has a clock of its own', async () => {
  const moments: { evidence: PlatformEvidence; log: LogDelta }[] = [];
  for (const how of [null, 'restart', 'reset', 'resume'] as const) {
    if (how !== null) await other.reboot(how);
    if (how !== 'resume') await other.beginEpochAgain();
    moments.push({ evidence: await other.platform({ nonce, counter: false }), log: other.delta() });
  }
  const clocks = moments.map(({ evidence }) => ({ ...quoteOf(evidence).clockInfo, seq: 0, ctr: null, attestSha256: sha256('') }));
  expect(clocks.map(({ restartCount }) => restartCount)).toEqual([0, 1, 0, 1]);
  const judgedAfter = (i: number, seen: number) => platformBench(other, moments[i]!.evidence).refusal({ connection: false, device: other.known({ clock: clocks[seen]! }), log: moments[i]!.log });
  expect([judgedAfter(0, 1), judgedAfter(1, 2), judgedAfter(2, 3), judgedAfter(1, 3)]).toEqual(['clock.rewound', 'clock.reset_decreased', 'clock.rewound', 'clock.reset_decreased']);
});
