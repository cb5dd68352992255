import { createHash, generateKeyPairSync } from 'node:crypto';
import {
  Attest, Create, CreatePrimary, Load, Public, RH, Sign, Signature, createEk, decode, encode, nameOf, objectAttributes, password, publicKeyOf, selectPcrs, templates, verifySignature, withEkSession,
} from '@ari-sidecar/tpm2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromB64u, sha256, toB64u } from '../../src/base/bytes.js';
import type { AttestKind } from '../../src/names.js';
import type { DeviceRecord } from '../../src/objects/device.js';
import { type PlatformEvidence, platformHash, platformQualifyingData } from '../../src/objects/evidence.js';
import type { DeviceClock, KnownDevice, PlatformResult } from '../../attest/types.js';
import { decodePlatformAppraisal, encodePlatformAppraisal } from '../../attest/verify/index.js';
import { platformBench, recordWith, softwareKey } from '../support/appraisal.js';
import { PCRS, TestDevice } from '../support/device.js';

const nonce = sha256('platform nonce');
let device: TestDevice;
let good: PlatformEvidence;
let bench: ReturnType<typeof platformBench>;
const appraise: typeof bench.appraise = (overrides) => bench.appraise(overrides);
const refusal: typeof bench.refusal = (overrides) => bench.refusal(overrides);
const record = (changes: Partial<DeviceRecord>): KnownDevice['record'] => recordWith(device, changes);
const clockOf = (result: PlatformResult): DeviceClock => result.next!.clock;
const quoted = (kind: AttestKind): Buffer => platformQualifyingData(kind, good.binding);

beforeAll(async () => {
  device = await TestDevice.start();
  await device.measure('sidecar', { version: '0.1.0' });
  await device.measure('agent_start', { agent_id: 'example.shopper' });
  good = await device.platform({ nonce });
  bench = platformBench(device, good);
});
afterAll(() => device.stop());

const NONE = Buffer.alloc(0);
const inSensitive = { userAuth: NONE, data: NONE };
const withQuote = (attestation: { attest: string; signature: string }): PlatformEvidence => ({ ...good, quote: { ...good.quote, ...attestation } });

describe('an honest platform', () => {
  it('is affirmed at tier T2, marked as simulated, and moves clock, counter and log', () => {
    const { appraisal, next } = appraise();
    expect(appraisal).toMatchObject({ authentic: true, status: 'affirming', tier: 'T2', simulated: true, findings: [], bank: 'sha256', platformSha256: platformHash(good), secureBoot: null });
    expect(appraisal.vector).toEqual({ 'instance-identity': 2, 'storage-opaque': 2 });
    expect(next!.entries.map(({ n }) => n)).toEqual([0, 1, 2]);
    expect(next!.head).toMatchObject({ epoch: device.position.epoch, nextN: 3 });
    expect(next!.anchor).toMatchObject({ nonce: sha256('first nonce') });
    expect(next!.clock.ctr).toBe(appraisal.ctr);
    expect(next!.clock.clock).toBeGreaterThanOrEqual(appraisal.clock);
  });

  it('is kept by the store and read back as it was', () => {
    const { appraisal } = appraise();
    expect(decodePlatformAppraisal(encodePlatformAppraisal(appraisal))).toEqual(appraisal);
  });

  it('goes on from what is known: a second part brings only the new records', async () => {
    const first = appraise();
    const again = await device.platform({ nonce: sha256('second'), counter: false });
    const known = device.known({ clock: clockOf(first), head: first.next!.head, latest: first.next!.head });
    const second = appraise({ evidence: again, nonce: sha256('second'), device: known, log: device.delta(3), connection: false });
    expect(second.appraisal).toMatchObject({ authentic: true, ctr: null });
    expect(second.next).toMatchObject({ entries: [], anchor: null, clock: { ctr: first.appraisal.ctr } });
  });

  it('may be refreshed by a quote alone when its log brings nothing new', async () => {
    const first = appraise();
    const refresh = { ...(await device.platform({ nonce: sha256('refresh'), counter: false })), register: null };
    const known = device.known({ clock: clockOf(first), head: first.next!.head, latest: first.next!.head });
    const common = { evidence: refresh, nonce: sha256('refresh'), connection: false };
    expect(appraise({ ...common, device: known, log: device.delta(3) }).appraisal.authentic).toBe(true);
    expect(refusal({ ...common, device: device.known(), log: device.delta() })).toBe('register.missing');
    expect(refusal({ ...common, device: known, log: device.delta(3), connection: true })).toBe('register.missing');
  });
});

describe('the key that signed', () => {
  it.each(['suspended', 'revoked'] as const)('is refused while its device is %s', (state) => {
    expect(refusal({ device: device.known({ state }) })).toBe('device.revoked');
  });

  it('is the one of the record: a record with another public area is no record of this key', () => {
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = publicKey.export({ format: 'jwk' });
    const foreign = encode(Public, { ...templates.akP256, unique: { x: Buffer.from(jwk.x!, 'base64url'), y: Buffer.from(jwk.y!, 'base64url') } });
    expect(refusal({ device: device.known({ record: record({ akPublic: toB64u(foreign) }) }) })).toBe('device.record');
    expect(refusal({ device: device.known({ record: record({ akPublic: toB64u(Buffer.from('no public area')) }) }) })).toBe('device.record');
    expect(refusal({ device: device.known({ record: record({ akPublic: toB64u(foreign), akName: nameOf(decode(Public, foreign)).toString('hex') }) }) })).toBe('quote.signature');
  });

  it('signs by its own scheme: another algorithm or hash is not negotiated', () => {
    const signature = decode(Signature, fromB64u(good.quote.signature)!) as Extract<Signature, { sigAlg: 'ecdsa' }>;
    const as = (value: object) => withQuote({ attest: good.quote.attest, signature: toB64u(encode(Signature, value as Signature)) });
    expect(refusal({ evidence: as({ ...signature, hash: 'sha384' }) })).toBe('quote.scheme');
    expect(refusal({ evidence: as({ ...signature, sigAlg: 'sm2' }) })).toBe('quote.scheme');
    expect(refusal({ evidence: as({ sigAlg: 'null' }) })).toBe('quote.scheme');
    expect(refusal({ evidence: as({ sigAlg: 'hmac', hashAlg: 'sha256', digest: Buffer.alloc(32) }) })).toBe('quote.scheme');
  });

  it('cannot be replaced: a quote of an owner-hierarchy key of the same TPM is refused', async () => {
    const template = { ...templates.akP256, unique: { x: Buffer.alloc(32), y: Buffer.alloc(32) } };
    const made = await device.tpm.run(CreatePrimary, { primaryHandle: RH.OWNER }, { inSensitive, inPublic: template, outsideInfo: NONE, creationPCR: [] });
    const evidence = withQuote(await device.quote(quoted('quote'), selectPcrs('sha256', PCRS), { handle: made.objectHandle, name: made.name, auth: password('') }));
    await device.tpm.flush(made.objectHandle);
    expect(refusal({ evidence })).toBe('quote.signature');
    // Also when a careless enrolment recorded that key under the qualified Name that a child of the EK would have.
    const akPublic = toB64u(encode(Public, made.outPublic));
    const careless = record({ akPublic, akName: nameOf(made.outPublic).toString('hex') });
    expect(refusal({ evidence, device: device.known({ record: careless }) })).toBe('quote.signer');
  });

  it('must not be able to sign what its owner wrote: a quote forged with an unrestricted key verifies everywhere but here', async () => {
    const unrestricted = { ...templates.akP256, objectAttributes: objectAttributes('fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'userWithAuth', 'noDA', 'sign') };
    const { tpm, ek } = device;
    const key = await tpm.withObject(createEk(tpm, ek), async ({ objectHandle: handle, name }) => {
      const made = await withEkSession(tpm, ek, (auth) => tpm.run(Create, { parentHandle: { handle, name, auth } }, { inSensitive, inPublic: unrestricted, outsideInfo: NONE, creationPCR: [] }));
      const loaded = await withEkSession(tpm, ek, (auth) => tpm.run(Load, { parentHandle: { handle, name, auth } }, { inPrivate: made.outPrivate, inPublic: made.outPublic }));
      return { ...loaded, outPublic: made.outPublic };
    });
    const honest = decode(Attest, fromB64u(good.quote.attest)!) as Extract<Attest, { type: 'quote' }>;
    const pcrDigest = createHash('sha256').update(Buffer.alloc(96, 0xaa)).digest();
    const forged = encode(Attest, { ...honest, attested: { ...honest.attested, pcrDigest } });
    const digest = createHash('sha256').update(forged).digest();
    const { signature } = await tpm.run(Sign, { keyHandle: { handle: key.objectHandle, name: key.name } }, { digest, inScheme: { scheme: 'null' }, validation: { tag: 'hashcheck', hierarchy: RH.NULL, digest: NONE } });
    await tpm.flush(key.objectHandle);
    expect(verifySignature(publicKeyOf(key.outPublic), forged, signature, { sigAlg: 'ecdsa', hash: 'sha256' })).toBe(true);
    const evidence = withQuote({ attest: toB64u(forged), signature: toB64u(encode(Signature, signature)) });
    expect(refusal({ evidence })).toBe('quote.signature');
    // It cannot become an enrolled key either: see the enrolment test of the same attack.
  });
});

describe('the structure that was signed', () => {
  const resigned = (change: (honest: Extract<Attest, { type: 'quote' }>) => Buffer) => {
    const { record: forged, sign } = softwareKey(device);
    const honest = decode(Attest, fromB64u(good.quote.attest)!) as Extract<Attest, { type: 'quote' }>;
    return refusal({ evidence: { ...withQuote(sign(change(honest))), register: null, counter: null }, device: device.known({ record: forged }) });
  };

  it('bears the magic that only a TPM writes (CVE-2024-29038)', () => {
    expect(resigned((honest) => { const bytes = encode(Attest, honest); bytes.writeUInt32BE(0xff544346); return Buffer.from(bytes); })).toBe('quote.magic');
    expect(resigned(() => Buffer.from('ff54', 'hex'))).toBe('quote.magic');
  });

  it('is a quote: the same TPM’s certification of the register in its place is refused (GHSA-gwfg-w3jr-xh66)', async () => {
    expect(refusal({ evidence: withQuote(await device.certify('register', quoted('quote'))) })).toBe('quote.type');
  });

  it('has nothing after its end', () => {
    expect(resigned((honest) => Buffer.concat([encode(Attest, honest), Buffer.of(0)]))).toBe('quote.malformed');
  });

  it('names the enrolled key as its signer, an empty name included', () => {
    expect(resigned((honest) => encode(Attest, { ...honest, qualifiedSigner: Buffer.alloc(0) }))).toBe('quote.signer');
  });

  it('was made for this place: qualifyingData of another kind is refused', async () => {
    for (const kind of ['register', 'counter', 'payment'] as const) expect(refusal({ evidence: withQuote(await device.quote(quoted(kind))) })).toBe('quote.nonce');
    expect(refusal({ evidence: { ...good, register: await device.certify('register', quoted('counter')) } })).toBe('quote.nonce');
    expect(refusal({ evidence: { ...good, counter: await device.certify('counter', quoted('register')) } })).toBe('quote.nonce');
  });

  it('covers the binding that is sent, not a nonce beside it', async () => {
    expect(refusal({ evidence: { ...good, binding: { ...good.binding, nonce: sha256('fresh') } }, nonce: sha256('fresh') })).toBe('quote.nonce');
    expect(refusal({ evidence: withQuote(await device.quote(Buffer.from(nonce, 'base64url'))) })).toBe('quote.nonce');
    expect(refusal({ evidence: withQuote(await device.quote(Buffer.alloc(0))) })).toBe('quote.nonce');
  });
});

describe('the binding of a platform part', () => {
  it('is for the nonce that was given (replay) and for this verifier (relay)', () => {
    expect(refusal({ nonce: sha256('the nonce of today') })).toBe('binding.mismatch');
    expect(refusal({ aud: 'https://other.example' })).toBe('binding.mismatch');
  });

  it('is for the log that is sent: a shortened one is noticed before it is replayed', () => {
    expect(refusal({ log: { ...device.delta(), entries: device.log.slice(0, 2) } })).toBe('binding.mismatch');
    expect(refusal({ log: { ...device.delta(), epoch: sha256('other') } })).toBe('binding.mismatch');
  });
});

describe('the clock of the TPM', () => {
  const knownAt = (change: Partial<DeviceClock>) => device.known({ clock: { ...clockOf(appraise()), ctr: null, ...change } });

  it('never falls: a part older than the last one is refused', () => {
    const now = clockOf(appraise());
    expect(refusal({ device: knownAt({ clock: now.clock + 1n }) })).toBe('clock.rewound');
    expect(refusal({ device: knownAt({ restartCount: now.restartCount + 1, clock: 0n }) })).toBe('clock.rewound');
    expect(refusal({ device: knownAt({ resetCount: now.resetCount + 1, restartCount: 0, clock: 0n }) })).toBe('clock.reset_decreased');
  });

  it('never falls for a refresh by a quote alone either', async () => {
    const { head } = appraise().next!;
    const evidence = { ...(await device.platform({ nonce, counter: false })), register: null };
    const refresh = { evidence, log: device.delta(head.nextN), connection: false };
    expect(refusal({ ...refresh, device: { ...knownAt({}), head, latest: head } })).toBe('accepted');
    expect(refusal({ ...refresh, device: { ...knownAt({ clock: 1n << 60n }), head, latest: head } })).toBe('clock.rewound');
  });

  it('may fall with a reset: only the pair of counts must have risen', () => {
    expect(refusal({ device: knownAt({ resetCount: clockOf(appraise()).resetCount - 1, restartCount: 9, clock: 1n << 60n }) })).toBe('accepted');
  });
});

describe('the TPM itself', () => {
  it('has the firmware that was enrolled', () => {
    expect(refusal({ device: device.known({ record: record({ firmware: device.record.value.firmware + 1n }) }) })).toBe('quote.firmware');
  });
});

describe('the PCRs of a quote', () => {
  const quoteOf = async (selection: Parameters<TestDevice['quote']>[1], quote: Partial<PlatformEvidence['quote']> = {}): Promise<PlatformEvidence> =>
    ({ ...good, quote: { ...good.quote, ...quote, ...(await device.quote(quoted('quote'), selection)) } });

  it('are exactly those of the policy: fewer, more or none are refused', async () => {
    for (const pcrs of [[0, 4], [0, 4, 7, 16], []]) expect(refusal({ evidence: await quoteOf(selectPcrs('sha256', pcrs)) })).toBe('quote.selection');
  });

  it('come with values for each and for no other (CVE-2022-0317): a value outside the selection is refused', () => {
    const { '4': _, ...fewer } = good.quote.pcrs;
    expect(refusal({ evidence: { ...good, quote: { ...good.quote, pcrs: { ...good.quote.pcrs, '9': '00'.repeat(32) } } } })).toBe('quote.selection');
    expect(refusal({ evidence: { ...good, quote: { ...good.quote, pcrs: fewer } } })).toBe('quote.selection');
    expect(refusal({ evidence: { ...good, quote: { ...good.quote, pcrs: { ...good.quote.pcrs, '4': '00'.repeat(31) } } } })).toBe('quote.selection');
  });

  it('are of one bank, the one that is said', async () => {
    expect(refusal({ evidence: await quoteOf(selectPcrs('sha384', PCRS)) })).toBe('quote.selection');
    expect(refusal({ evidence: await quoteOf([...selectPcrs('sha256', PCRS), ...selectPcrs('sha1', PCRS)]) })).toBe('quote.selection');
    expect(refusal({ evidence: { ...good, quote: { ...good.quote, bank: 'sha384' } } })).toBe('quote.selection');
  });

  it('are selected by the usual bitmap of three bytes', () => {
    const { record: forged, sign } = softwareKey(device);
    const honest = decode(Attest, fromB64u(good.quote.attest)!) as Extract<Attest, { type: 'quote' }>;
    for (const sizeofSelect of [1, 4]) {
      const attested = { ...honest.attested, pcrSelect: [{ hash: 'sha256' as const, pcrs: PCRS, sizeofSelect }] };
      expect(refusal({ evidence: withQuote(sign(encode(Attest, { ...honest, attested }))), device: device.known({ record: forged }) })).toBe('quote.selection');
    }
  });

  it('have the values that were quoted', () => {
    expect(refusal({ evidence: { ...good, quote: { ...good.quote, pcrs: { ...good.quote.pcrs, '7': 'ab'.repeat(32) } } } })).toBe('quote.pcr_digest');
  });

  it('are of a bank that firmware extends (CVE-2021-42299): with PCR 0 untouched anyone may have filled the rest', async () => {
    const pcrs = await device.pcrs(PCRS, 'sha384');
    const evidence = { ...(await quoteOf(selectPcrs('sha384', PCRS))), quote: { ...good.quote, bank: 'sha384' as const, pcrs, ...(await device.quote(quoted('quote'), selectPcrs('sha384', PCRS))) } };
    expect(pcrs['0']).toBe('00'.repeat(48));
    expect(refusal({ evidence })).toBe('quote.pcr_unused');
  });
});
