import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import {
  Attest, Certify, CreatePrimary, type Entity, LoadExternal, NULL_HASHCHECK, Public, Quote, RC, ReadPublic, RH, Sign, Signature, type Tpm, decode, encode, nameOf, objectAttributes,
  publicFromKey, qualifiedName, templates,
} from '@ari-sidecar/tpm2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assertCertified, certifyingData, challengeFor, checkEnrolment, type EnrolmentFacts, onlyRoots } from '../../attest/enrol/index.js';
import { EK_PURPOSE } from '../../attest/x509/index.js';
import { fromB64u, sha256, toB64u } from '../../src/base/bytes.js';
import type { LinkBody } from '../../src/link.js';
import type { Attestation } from '../../src/objects/evidence.js';
import { ca, purposes } from '../support/authority.js';
import { AZURE, AZURE_TEMPLATE, attesting, Cloud } from '../support/cloud.js';
import { TestDevice, certificateTime } from '../support/device.js';
import { codeOf, messageOf } from '../support/fault.js';

type Provider = NonNullable<LinkBody<'enrol_begin'>['provider']>;
const NONE = Buffer.alloc(0);
const KEY_SCHEME = { scheme: 'null' } as const;
const nonce = sha256('challenge');
const challenge = certifyingData('session', nonce);

let cloud: Cloud;
let device: TestDevice;
let area: Public;
let shown: Provider;
/** Another virtual machine of the same cloud, the attacker's. */
let other: TestDevice;
beforeAll(async () => {
  cloud = await Cloud.start();
  [device, other] = await Promise.all([TestDevice.start({ certificate: false }), TestDevice.start({ certificate: false })]);
  area = await cloud.provisionAzure(device.tpm);
  shown = await cloud.shown(area);
  await cloud.provisionAzure(other.tpm);
});
afterAll(() => Promise.all([device.stop(), other.stop()]));

const enrol = (provider: Provider | null, changes: Partial<LinkBody<'enrol_begin'>> = {}): EnrolmentFacts =>
  checkEnrolment({ ...device.begin, provider, ...changes }, onlyRoots([cloud.pinned]), certificateTime());
const textOf = (attest: Uint8Array, signature: Signature): Attestation => ({ attest: toB64u(attest), signature: toB64u(encode(Signature, signature)) });
async function certify(tpm: Tpm, objectHandle: Entity, qualifyingData = challenge, signHandle: number = AZURE.key): Promise<Attestation> {
  const { certifyInfo, signature } = await tpm.run(Certify, { objectHandle, signHandle: await tpm.entity(signHandle) }, { qualifyingData, inScheme: KEY_SCHEME });
  return textOf(certifyInfo, signature);
}
const judge = (statement: Attestation | null, facts = enrol(shown)): string | null => messageOf(() => assertCertified(facts.provider!, facts, challenge, statement));

describe("an attestation key that a cloud's key certifies", () => {
  it("is believed without an endorsement certificate, up to the tier of one, and the provider's root is what vouches", async () => {
    const facts = enrol(shown);
    expect(facts).toMatchObject({ tierMax: 'T3', ekRoot: 'CN=Cloud vTPM root', simulated: false });
    expect(judge(await certify(device.tpm, device.key), facts)).toBeNull();
    expect(enrol(null)).toMatchObject({ tierMax: 'T1', ekRoot: null, provider: null });
  });

  it('is named by its Name and its place: the statement carries both, and they are those that the verifier computes', async () => {
    const attest = decode(Attest, fromB64u((await certify(device.tpm, device.key)).attest)!);
    expect(attest.type === 'certify' && { name: attest.attested.name, place: attest.attested.qualifiedName })
      .toEqual({ name: device.akName, place: qualifiedName(RH.ENDORSEMENT, nameOf(device.ekPublic), device.akName) });
  });

  it('is not the key of another machine: what that machine says of its own key is about another Name', async () => {
    const provider = await cloud.shown(await publicOf(other.tpm, AZURE.key));
    const statement = await certify(other.tpm, other.key);
    expect(judge(statement, enrol(provider))).toMatch(/about another key/);
    expect(judge(statement)).toMatch(/not signed by the key/);
  });

  it('cannot be certified by a machine that holds its public area only', async () => {
    const loaded = other.tpm.run(LoadExternal, {}, { inPrivate: null, inPublic: device.akPublic, hierarchy: RH.ENDORSEMENT });
    await other.tpm.withObject(loaded, ({ objectHandle }) => expect(certify(other.tpm, objectHandle)).rejects.toMatchObject({ base: RC.AUTH_UNAVAILABLE }));
  });

  it('is a child of the endorsement key that was shown: one made in software, whose credentials anybody opens, is not', async () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const facts = enrol(shown, { ekPublic: toB64u(encode(Public, publicFromKey(publicKey, templates.ekRsa2048))) });
    expect(() => challengeFor(facts, { secret: randomBytes(32), sessionId: 'session', nonce })).not.toThrow();
    expect(judge(await certify(device.tpm, device.key), facts)).toMatch(/not below the endorsement key/);
  });

  it('has our template: one that may leave its TPM is refused before anything is asked', async () => {
    const duplicable = { ...templates.akP256, objectAttributes: { ...templates.akP256.objectAttributes, fixedTPM: false, fixedParent: false } };
    const made = device.tpm.run(CreatePrimary, { primaryHandle: RH.ENDORSEMENT }, { inSensitive: { userAuth: NONE, data: NONE }, inPublic: duplicable, outsideInfo: NONE, creationPCR: [] });
    await device.tpm.withObject(made, async ({ objectHandle, name, outPublic }) => {
      expect(await certify(device.tpm, { handle: objectHandle, name }), 'the TPM certifies it all the same').toBeDefined();
      expect(codeOf(() => enrol(shown, { akPublic: toB64u(encode(Public, outPublic)), registerPublic: null, counterPublic: null }))).toBe('enrol.ak_attributes');
    });
  });
});

describe('the statement', () => {
  it('is over the challenge of this session', async () => {
    for (const others of [certifyingData('session', sha256('another')), certifyingData('another', nonce), Buffer.from(nonce), NONE]) {
      expect(judge(await certify(device.tpm, device.key, others))).toMatch(/another challenge/);
    }
  });

  it('is a certification, and there is one', async () => {
    const { quoted, signature } = await device.tpm.run(Quote, { signHandle: await device.tpm.entity(AZURE.key) }, { qualifyingData: challenge, inScheme: KEY_SCHEME, PCRselect: [] });
    expect(judge(textOf(quoted, signature))).toMatch(/of type quote/);
    expect(judge(null)).toMatch(/there is none/);
    expect(codeOf(() => assertCertified(enrol(shown).provider!, enrol(shown), challenge, null))).toBe('enrol.certify');
  });

  it('is refused with any bit of it changed', async () => {
    const facts = enrol(shown);
    const statement = await certify(device.tpm, device.key);
    const bytes = fromB64u(statement.attest)!;
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const changed = Buffer.from(bytes);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(codeOf(() => assertCertified(facts.provider!, facts, challenge, { ...statement, attest: toB64u(changed) }))).toBe('enrol.certify');
    }
    expect(judge({ ...statement, signature: statement.attest }, facts)).not.toBeNull();
  });
});

describe("the provider's key", () => {
  const refusal = (provider: Provider): string | null => codeOf(() => enrol(provider));

  it('has the certificate that is shown: one of another key is refused, and so is one of another cloud', async () => {
    expect(refusal({ ...shown, certificate: (await cloud.shown(await publicOf(other.tpm, AZURE.key))).certificate })).toBe('enrol.ak_certificate');
    expect(refusal(await (await Cloud.start()).shown(area))).toBe('enrol.ak_certificate');
  });

  it('is certified for attestation: a certificate for something else, or of an authority, is refused', async () => {
    expect(refusal(shown)).toBeNull();
    expect(refusal(await cloud.shown(area, { extensions: attesting(EK_PURPOSE) }))).toBe('enrol.ak_certificate');
    expect(refusal(await cloud.shown(area, { extensions: attesting('1.3.6.1.5.5.7.3.2') }))).toBe('enrol.ak_certificate');
    expect(refusal(await cloud.shown(area, { extensions: [...ca(), purposes('2.23.133.8.3')] }))).toBe('enrol.ak_certificate');
    expect(refusal(await cloud.shown(area, { extensions: [] }))).toBe('enrol.ak_certificate');
  });

  it.each(['restricted', 'sign', 'fixedTPM', 'sensitiveDataOrigin'] as const)('is %s', async (attribute) => {
    const lacking = { ...area, objectAttributes: { ...area.objectAttributes, [attribute]: false } };
    expect(refusal(await cloud.shown(lacking))).toBe('enrol.provider_key');
  });

  it('signs and does nothing else, by one scheme', async () => {
    expect(refusal(await cloud.shown({ ...area, objectAttributes: { ...area.objectAttributes, decrypt: true } }))).toBe('enrol.provider_key');
    expect(refusal(await cloud.shown({ ...area, parameters: { ...area.parameters, scheme: { scheme: 'null' } } } as Public))).toBe('enrol.provider_key');
    expect(refusal(await cloud.shown({ ...area, parameters: { ...area.parameters, scheme: { scheme: 'rsassa', hashAlg: 'sha1' } } } as Public))).toBe('enrol.provider_key');
    expect(refusal({ ...shown, publicArea: toB64u(Buffer.from('none')) })).toBe('enrol.provider_key');
    expect(refusal({ ...shown, publicArea: toB64u(encode(Public, { ...area, unique: randomBytes(128) } as Public)) })).toBe('enrol.provider_key');
  });

  it('is restricted because its provider says so: an unrestricted one signs any statement, so it is refused as what it is', async () => {
    const unrestricted = { ...AZURE_TEMPLATE, objectAttributes: objectAttributes('fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'userWithAuth', 'sign') };
    const params = { inSensitive: { userAuth: NONE, data: NONE }, inPublic: unrestricted, outsideInfo: NONE, creationPCR: [] };
    await other.tpm.withObject(other.tpm.run(CreatePrimary, { primaryHandle: RH.ENDORSEMENT }, params), async ({ objectHandle, outPublic }) => {
      expect(refusal(await cloud.shown(outPublic))).toBe('enrol.provider_key');
      const posing = await cloud.shown({ ...outPublic, objectAttributes: area.objectAttributes });
      const facts = enrol(posing);
      const forged = await forge(facts, async (digest) => (await other.tpm.run(Sign, { keyHandle: objectHandle }, { digest, inScheme: KEY_SCHEME, validation: NULL_HASHCHECK })).signature);
      expect(judge(forged, facts), 'the attack, were such a key certified for attestation').toBeNull();
    });
  });

  it('signs no statement from outside when it is restricted: the TPM refuses', async () => {
    const facts = enrol(shown);
    const key = await device.tpm.entity(AZURE.key);
    await expect(forge(facts, async (digest) => (await device.tpm.run(Sign, { keyHandle: key }, { digest, inScheme: KEY_SCHEME, validation: NULL_HASHCHECK })).signature)).rejects.toMatchObject({ base: RC.TICKET });
  });
});

const publicOf = async (tpm: Tpm, handle: number): Promise<Public> => (await tpm.run(ReadPublic, { objectHandle: handle }, {})).outPublic;

/** A statement about the device's key as a TPM would make it, signed by whoever `sign` is. */
async function forge(facts: EnrolmentFacts, sign: (digest: Buffer) => Promise<Signature>): Promise<Attestation> {
  const genuine = decode(Attest, fromB64u((await certify(device.tpm, device.key)).attest)!);
  const attested = { name: Buffer.from(facts.akName, 'hex'), qualifiedName: Buffer.from(facts.qualifiedSigner, 'hex') };
  const bytes = encode(Attest, { ...genuine, attested } as Attest);
  return textOf(bytes, await sign(createHash('sha256').update(bytes).digest()));
}
