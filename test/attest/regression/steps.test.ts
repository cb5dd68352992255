/**
 * The checklist, in its order: one platform part in which every step is broken at once, and mended step by step. Each step is seen only when all before it
 * hold, and each alone is enough to refuse. The later steps judge what is authentic, and gather.
 */
import { readFileSync } from 'node:fs';
import { Attest, Signature, counterPublic, decode, encode, nvNameOf, policySecretDigest, registerPublic, written } from '@ari-sidecar/tpm2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256, toB64u } from '../../../src/base/bytes.js';
import { CODES, type Code } from '../../../src/codes.js';
import type { AttestKind } from '../../../src/names.js';
import { type Attestation, type PlatformEvidence, platformQualifyingData } from '../../../src/objects/evidence.js';
import type { DeviceClock, KnownDevice } from '../../../attest/types.js';
import { platformBench, recordWith, softwareKey } from '../../support/appraisal.js';
import { PCRS, TEST_POLICY, TestDevice } from '../../support/device.js';

/** Number and name of the step, and the code that it gives. */
const STEPS = [
  ['2 the key is enrolled and not revoked', 'device.revoked'], ['1 strict parsing', 'quote.malformed'], ['3 scheme of the key', 'quote.scheme'], ['4 signature', 'quote.signature'],
  ['5 magic', 'quote.magic'], ['6 type', 'quote.type'], ['7 qualified signer', 'quote.signer'], ['8 qualifying data', 'quote.nonce'], ['8 binding', 'binding.mismatch'],
  ['9 clock', 'clock.reset_decreased'], ['10 firmware', 'quote.firmware'], ['11 PCR selection', 'quote.selection'], ['12 PCR digest', 'quote.pcr_digest'], ['14 log', 'log.digest'],
  ['14 register name', 'register.name'], ['14 register range', 'register.range'], ['14 register value', 'register.value'], ['15 counter', 'ctr.not_increased'],
] as const satisfies readonly (readonly [string, Code])[];
type StepCode = (typeof STEPS)[number][1];
const ALL = STEPS.map(([, code]) => code);

const nonce = sha256('platform nonce');
let device: TestDevice;
let good: PlatformEvidence;
let record: KnownDevice['record'];
let sign: (attest: Buffer) => Attestation;
beforeAll(async () => {
  device = await TestDevice.start();
  await device.measure('sidecar', { version: '0.1.0' });
  good = await device.platform({ nonce });
  const software = softwareKey(device);
  const policy = policySecretDigest(Buffer.from(software.record.value.akName, 'hex'));
  sign = software.sign;
  record = recordWith(device, {
    akName: software.record.value.akName, akPublic: software.record.value.akPublic,
    registerName: nvNameOf(written(registerPublic(0x01d10300, policy))).toString('hex'), counterName: nvNameOf(written(counterPublic(0x01d10301, policy))).toString('hex'),
  });
});
afterAll(() => device.stop());

const OTHER = Buffer.alloc(32, 7);
type Of<T extends Attest['type']> = Extract<Attest, { type: T }>;
const attestOf = <T extends Attest['type']>({ attest }: Pick<Attestation, 'attest'>): Of<T> => decode(Attest, Buffer.from(attest, 'base64url')) as Of<T>;

function quoteWith(broken: ReadonlySet<StepCode>): Attestation {
  const honest = attestOf<'quote'>(good.quote);
  const pcrSelect = honest.attested.pcrSelect.map((each) => (broken.has('quote.selection') ? { ...each, pcrs: PCRS.slice(1) } : each));
  const bytes = encode(Attest, {
    ...honest, qualifiedSigner: broken.has('quote.signer') ? OTHER : honest.qualifiedSigner, extraData: broken.has('quote.nonce') ? OTHER : honest.extraData,
    firmwareVersion: honest.firmwareVersion + (broken.has('quote.firmware') ? 1n : 0n), attested: { pcrSelect, pcrDigest: broken.has('quote.pcr_digest') ? OTHER : honest.attested.pcrDigest },
  });
  if (broken.has('quote.magic')) bytes.write('TCPA', 0, 'latin1');
  if (broken.has('quote.type')) bytes.writeUInt16BE(0x8014, 4);
  const signed = sign(bytes);
  if (broken.has('quote.signature')) bytes[bytes.length - 1]! ^= 1;
  const rsa = toB64u(encode(Signature, { sigAlg: 'rsassa', hash: 'sha256', sig: OTHER }));
  return { attest: toB64u(bytes), signature: broken.has('quote.malformed') ? 'AAAA' : broken.has('quote.scheme') ? rsa : signed.signature };
}

function certifiedWith(what: 'register' | 'counter', broken: ReadonlySet<StepCode>): Attestation {
  const honest = attestOf<'nv'>(good[what]!);
  const indexName = Buffer.from(record.value[what === 'register' ? 'registerName' : 'counterName']!, 'hex');
  const attested = what === 'counter' ? { ...honest.attested, indexName } : {
    indexName: broken.has('register.name') ? OTHER : indexName, offset: broken.has('register.range') ? 1 : 0, nvContents: broken.has('register.value') ? OTHER : honest.attested.nvContents,
  };
  return sign(encode(Attest, { ...honest, attested, extraData: platformQualifyingData(what as AttestKind, good.binding) }));
}

/** The code of the step that refuses, or `accepted`. */
function refusal(all: Iterable<StepCode>): string {
  const broken = new Set(all);
  const evidence = { ...good, quote: { ...good.quote, ...quoteWith(broken) }, register: certifiedWith('register', broken), counter: certifiedWith('counter', broken) };
  const { resetCount } = attestOf<'quote'>(good.quote).clockInfo;
  const known: DeviceClock = { resetCount: broken.has('clock.reset_decreased') ? resetCount + 1 : resetCount, restartCount: 0, clock: 0n, seq: 0, ctr: broken.has('ctr.not_increased') ? 1n << 62n : null, attestSha256: sha256('') };
  const log = device.delta();
  const entries = log.entries.map((entry, i) => (broken.has('log.digest') && i === 1 ? { ...entry, digests: [{ hashAlg: 'sha256' as const, digest: OTHER.toString('hex') }] } : entry));
  return platformBench(device, evidence).refusal({
    log: { ...log, entries }, nonce: broken.has('binding.mismatch') ? sha256('another nonce') : nonce,
    device: device.known({ record, clock: known, state: broken.has('device.revoked') ? 'revoked' : 'enrolled' }),
  });
}

describe('the checklist of evidence', () => {
  it('takes what no step is broken in: what follows is not refused for something else', () => {
    expect(refusal([])).toBe('accepted');
  });

  it.each(STEPS)('refuses for one broken step alone: %s', (_, code) => {
    expect(refusal([code])).toBe(code);
  });

  it('is gone through in its order: of everything that is broken the first step is named, and nothing behind it is looked at', () => {
    expect(ALL.map((_, i) => refusal(ALL.slice(i)))).toEqual(ALL);
  });

  it('judges what is authentic whole: boot log, IMA list and what policy misses are all told', () => {
    const { appraisal } = platformBench(device, good).appraise({ policy: { ...TEST_POLICY, requireBootLog: true, requireIma: true, allowSimulated: false } });
    expect(appraisal.findings.map(({ code }) => code)).toEqual(['boot.missing', 'ima.missing', 'decision.simulated']);
  });

  it('has no code that the table of codes does not explain, and the page of codes names each', () => {
    const page = readFileSync(new URL('../../../docs/codes.md', import.meta.url), 'utf8');
    for (const code of ALL) expect([code, CODES[code].kind, page.includes(`\`${code}\``)]).toEqual([code, 'finding', true]);
  });
});
