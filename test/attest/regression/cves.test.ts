/** CVEs of attestation verifiers and of TPMs, performed with a real software TPM: past a check as it was shipped, and against ours. */
import { Attest, Public, decode, encode } from '@ari-sidecar/tpm2';
import { randomBytes } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect } from 'vitest';
import { sha256, toB64u } from '../../../src/base/bytes.js';
import { EAR } from '../../../src/objects/ear.js';
import { DEVICE_RECORD } from '../../../src/objects/device.js';
import type { PlatformEvidence } from '../../../src/objects/evidence.js';
import { open, seal } from '../../../src/objects/signed.js';
import { signJws } from '../../../src/base/jws.js';
import { challengeFor, checkAnswer, checkEnrolment, onlyRoots } from '../../../attest/enrol/index.js';
import { appraisePayment, keptOf } from '../../../attest/verify/index.js';
import { NOW as CERTIFIED, ca, issue, party, pin, x509 } from '../../support/authority.js';
import { platformBench, recordWith, softwareKey } from '../../support/appraisal.js';
import { PCRS, TEST_POLICY, TestDevice, certificateTime } from '../../support/device.js';
import { ear as earExample } from '../../support/examples.js';
import { codeOf } from '../../support/fault.js';
import { SIGNERS, keys } from '../../support/keys.js';
import { dreamt, quoteOf, withQuote } from './forgery.js';
import { isCheckedQuote, isDigestOf, isDigestOfSelected, isSignedBy } from './naive.js';
import { row } from './rows.js';

const nonce = sha256('platform nonce');
let device: TestDevice;
let other: TestDevice;
let good: PlatformEvidence;
let bench: ReturnType<typeof platformBench>;
const refusal: typeof bench.refusal = (overrides) => bench.refusal(overrides);

beforeAll(async () => {
  [device, other] = await Promise.all([TestDevice.start({ ek: 'ekP256' }), TestDevice.start({ ek: 'ekP256' })]);
  await device.measure('agent_start');
  good = await device.platform({ nonce });
  bench = platformBench(device, good);
});
afterAll(() => Promise.all([device.stop(), other.stop()]));

/** A perfect quote by a key that no TPM holds, and that key. */
function homemade() {
  const { record, sign } = softwareKey(device);
  const attestation = sign(encode(Attest, quoteOf(good)));
  return { record, attestation, area: areaOf(record.value.akPublic) };
}
const areaOf = (akPublic: string): Public => decode(Public, Buffer.from(akPublic, 'base64url'));

row('CVE-2021-3406', 'a key that came along with the evidence vouches for nothing', async () => {
  const { attestation, area } = homemade();
  expect(isCheckedQuote(area, attestation, quoteOf(good).extraData)).toBe(true);
  expect(refusal({ evidence: withQuote(good, attestation) })).toBe('quote.signature');
  const payment = { ...(await device.pay(good)), akName: '000b'.padEnd(68, 'a') };
  expect(judged(payment).code).toBe('device.unknown');
});

row('CVE-2022-1053', 'the key that was checked at enrolment is the one that verifies: a record cannot name one and hold another', () => {
  const { record, attestation } = homemade();
  const mixed = recordWith(device, { akPublic: record.value.akPublic });
  expect(refusal({ evidence: withQuote(good, attestation), device: device.known({ record: mixed }) })).toBe('device.record');
});

row('CVE-2022-3500', 'what goes wrong does not prolong trust: the last good quote ages, and a failure leaves nothing newer behind', async () => {
  const before = bench.appraise();
  const failed = bench.appraise({ evidence: { ...good, quote: { ...good.quote, attest: '' } } });
  expect(failed).toMatchObject({ next: null, appraisal: { authentic: false, tier: 'T0' } });
  await sleep(30);
  const payment = await device.pay(good, { logFrom: 2 });
  const known = device.known({ head: before.next!.head });
  expect(judged(payment, { device: known, platform: keptOf(good, before.appraisal) }).code).toBeNull();
  expect(judged(payment, { device: known, platform: keptOf(good, before.appraisal), policy: { ...TEST_POLICY, platformMaxAgeMs: 10 } }).code).toBe('quote.stale');
  expect(judged(payment, { device: known, platform: keptOf(good, failed.appraisal) })).toMatchObject({ authentic: false, next: null });
});

row('CVE-2023-3674', 'a wrong signature ends the appraisal: there is no result beside it', () => {
  const wrong = { attest: good.quote.attest, signature: good.register!.signature };
  expect(isSignedBy(device.akPublic, wrong)).toBe(false);
  const { appraisal, next } = bench.appraise({ evidence: withQuote(good, wrong) });
  expect(appraisal).toMatchObject({ authentic: false, status: 'contraindicated', tier: 'T0', findings: [{ code: 'quote.signature' }] });
  expect(next).toBeNull();
});

row('CVE-2025-13609', 'another TPM does not enrol under the name of a device: the secret is opened only beside the named key', async () => {
  const trust = onlyRoots([...device.roots, ...other.roots]);
  const takeover = { ...other.begin, akPublic: device.begin.akPublic, registerPublic: null, counterPublic: null };
  const facts = checkEnrolment(takeover, trust, certificateTime());
  expect(facts.akName, 'each part of it is genuine').toBe(device.facts.akName);
  const { challenge, expected } = challengeFor(facts, { secret: randomBytes(32), sessionId: 'session', nonce });
  await expect(other.answer(challenge)).rejects.toMatchObject({ code: 0x1df });
  await expect(device.answer(challenge)).rejects.toThrow();
  expect(codeOf(() => checkAnswer(expected, toB64u(randomBytes(32))))).toBe('enrol.proof');
  expect(refusal({ device: other.known() }), 'and no device answers for another').toBe('quote.signature');
});

row('CVE-2022-0317', 'PCR values outside the signed selection', () => {
  const shown = { ...good.quote.pcrs, '8': 'ab'.repeat(32) };
  expect(isDigestOfSelected(good.quote, shown)).toBe(true);
  expect(refusal({ evidence: { ...good, quote: { ...good.quote, pcrs: shown } } })).toBe('quote.selection');
});

row('CVE-2024-29038', 'a structure that no TPM made: another magic', () => {
  const { record, sign } = softwareKey(device);
  const bytes = Buffer.from(good.quote.attest, 'base64url');
  bytes.writeUInt32BE(0x41414141);
  const forged = sign(bytes);
  expect(isCheckedQuote(areaOf(record.value.akPublic), forged, quoteOf(good).extraData)).toBe(true);
  expect(refusal({ evidence: withQuote(good, forged), device: device.known({ record }) })).toBe('quote.magic');
});

row('CVE-2024-29040', 'the same where the parsed structure was shown instead of the signed bytes: only the signed bytes are read', () => {
  const { attest } = dreamt(good, { '0': '01'.repeat(32), '4': '02'.repeat(32), '7': '03'.repeat(32) });
  const shown = { attest: toB64u(attest), signature: good.quote.signature };
  expect(isSignedBy(device.akPublic, good.quote)).toBe(true);
  expect(refusal({ evidence: withQuote(good, shown) })).toBe('quote.signature');
});

row('CVE-2024-29039', 'a quote of PCRs that anyone can set, shown as those of the firmware', async () => {
  const stage = [12, 16, 23];
  for (const [i, pcr] of stage.entries()) await device.extendPcr(pcr, Buffer.alloc(32, PCRS[i]! + 1));
  const clean = Object.fromEntries(Object.values(await device.pcrs(stage)).map((value, i) => [PCRS[i]!, value]));
  expect(clean, 'what the firmware of this machine gives').toEqual(await device.pcrs(PCRS));
  const evidence = await device.platform({ nonce, pcrs: stage });
  const shown = { ...evidence, quote: { ...evidence.quote, pcrs: clean } };
  expect(isCheckedQuote(device.akPublic, shown.quote, quoteOf(shown).extraData) && isDigestOf(shown.quote, clean)).toBe(true);
  expect(refusal({ evidence: shown })).toBe('quote.selection');
});

row('GHSA-gwfg-w3jr-xh66', 'an attestation of another type in the place of a quote', async () => {
  const forged = await device.certify('register', quoteOf(good).extraData);
  expect(isCheckedQuote(device.akPublic, forged, quoteOf(good).extraData)).toBe(true);
  expect(refusal({ evidence: withQuote(good, forged) })).toBe('quote.type');
});

row('SPIRE aws_iid', 'what is used is what was verified: facts beside the signed bytes are held against them', () => {
  const beside = { ...good.quote.pcrs, '7': 'cd'.repeat(32) };
  expect(isSignedBy(device.akPublic, good.quote)).toBe(true);
  expect(refusal({ evidence: { ...good, quote: { ...good.quote, pcrs: beside } } })).toBe('quote.pcr_digest');
  expect(refusal({ evidence: { ...good, binding: { ...good.binding, logN: good.binding.logN - 1 } }, log: { ...device.delta(), entries: device.log.slice(0, -1) } })).toBe('quote.nonce');
  const [header, payload, signature] = device.record.token.split('.') as [string, string, string];
  const real = Buffer.from(payload, 'base64url').toString().replace('"simulated":true', '"simulated":false');
  expect(codeOf(() => open(DEVICE_RECORD, `${header}.${toB64u(Buffer.from(real))}.${signature}`, keys))).toBe('token.signature');
});

row('SPIRE azure_imds', 'a certificate that chains, before a key that it does not certify', () => {
  const chained = checkEnrolment(other.begin, onlyRoots(other.roots), certificateTime());
  expect(chained.ekRoot).not.toBeNull();
  const borrowed = { ...device.begin, ekCertificate: other.begin.ekCertificate, ekChain: other.begin.ekChain };
  expect(codeOf(() => checkEnrolment(borrowed, onlyRoots(other.roots), certificateTime()))).toBe('enrol.ek_mismatch');
});

row('SPIRE x509pop', 'a certificate with an enormous key costs its reader nothing', async () => {
  const huge = Buffer.concat([Buffer.from('3084', 'hex'), Buffer.alloc(4, 0x00), randomBytes(300_000)]);
  huge.writeUInt32BE(huge.length - 6, 2);
  const from = process.cpuUsage();
  expect(codeOf(() => checkEnrolment({ ...device.begin, ekCertificate: toB64u(huge) }, onlyRoots(device.roots), certificateTime()))).toBe('enrol.ek_chain');
  expect(process.cpuUsage(from).user / 1000).toBeLessThan(200);
});

row('SPIRE http_challenge', 'nothing that a certificate names is fetched', async () => {
  let asked = 0;
  const server = createServer((_, response) => { asked += 1; response.end(); }).listen(0, '127.0.0.1');
  await sleep(20);
  const location = Buffer.from(`http://127.0.0.1:${(server.address() as AddressInfo).port}/issuer.crt`);
  const access = Buffer.concat([Buffer.from('06082b06010505073002', 'hex'), Buffer.of(0x86, location.length), location]);
  const aia = new x509.Extension('1.3.6.1.5.5.7.1.1', false, Buffer.concat([Buffer.of(0x30, access.length + 2, 0x30, access.length), access]));
  const [issuer, subject, stranger] = await Promise.all([party('CN=Issuer'), party('CN=ek.example'), party('CN=Root')]);
  const root = await issue({ subject: stranger, issuer: stranger, extensions: ca() });
  const leaf = await issue({ subject, issuer, extensions: [aia] });
  expect(codeOf(() => checkEnrolment({ ...device.begin, ekCertificate: toB64u(leaf), ekChain: [] }, onlyRoots([pin(root)]), CERTIFIED))).toBe('enrol.ek_chain');
  await sleep(50);
  expect(asked).toBe(0);
  server.close();
});

row('SPIRE JWT without exp', 'a result of an appraisal that never ends is none', () => {
  const { exp: _, ...endless } = JSON.parse(Buffer.from(seal(EAR, earExample, SIGNERS.verifier).split('.')[1]!, 'base64url').toString());
  expect(() => open(EAR, seal(EAR, earExample, SIGNERS.verifier), keys)).not.toThrow();
  expect(() => open(EAR, signJws(SIGNERS.verifier, { typ: EAR.typ }, endless), keys)).toThrow(expect.objectContaining({ code: 'intake.malformed' }));
});

/** The judgement of a payment that is made for exactly what is expected of it. */
function judged(evidence: Awaited<ReturnType<TestDevice['pay']>>, overrides: Partial<Parameters<typeof appraisePayment>[0]> = {}) {
  const { nonce: over, aud, paymentSha256, mandateSha256, closedSha256, jkt } = evidence.payment.binding;
  return appraisePayment({ evidence, expected: { nonce: over, aud, paymentSha256, mandateSha256, closedSha256, jkt }, device: device.known(), platform: null, manifest: device.manifest, policy: TEST_POLICY, ...overrides });
}
