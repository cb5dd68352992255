import { generateKeyPairSync, randomBytes } from 'node:crypto';
import {
  type EkKind, NvPublic, Public, counterPublic, createEk, encode, nameOf, nvAttributes, objectAttributes, policySecretDigest, publicFromKey, readEkCertificate, registerPublic, templates,
} from '@ari-sidecar/tpm2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256, toB64u } from '../../src/base/bytes.js';
import type { LinkBody } from '../../src/link.js';
import { TIERS, atLeast } from '../../src/names.js';
import { challengeFor, checkAnswer, checkEnrolment, deviceRecordOf, enrolmentAnswer, onlyRoots } from '../../attest/enrol/index.js';
import { readAttest } from '../../attest/verify/attest.js';
import { TestDevice, certificateTime } from '../support/device.js';
import { codeOf } from '../support/fault.js';

type Begin = LinkBody<'enrol_begin'>;
let device: TestDevice;
beforeAll(async () => { device = await TestDevice.start({ ek: 'ekP256' }); });
afterAll(() => device.stop());

const check = (changes: Partial<Begin> = {}, roots = device.roots) => checkEnrolment({ ...device.begin, ...changes }, onlyRoots(roots), certificateTime());
const refusal = (changes: Partial<Begin>, roots = device.roots) => codeOf(() => check(changes, roots)) ?? 'accepted';
const publicText = (area: Public): string => toB64u(encode(Public, area));
const nvText = (area: NvPublic): string => toB64u(encode(NvPublic, area));
const nonce = sha256('nonce');

async function endorsement(kind: EkKind): Promise<Pick<Begin, 'ekCertificate' | 'ekPublic'>> {
  const { tpm } = device;
  const area = await tpm.withObject(createEk(tpm, kind), async ({ outPublic }) => outPublic);
  return { ekPublic: publicText(area), ekCertificate: toB64u((await readEkCertificate(tpm, kind))!) };
}

describe('the enrolment of a TPM', () => {
  it.each(['ekRsa2048', 'ekP256', 'ekP384'] as const)('takes a %s whose certificate chains to a pinned root, and challenges exactly this key', async (kind) => {
    const facts = check(await endorsement(kind));
    expect(facts).toMatchObject({ tierMax: 'T3', simulated: true, ekRoot: 'CN=swtpm-localca-rootca', akName: device.akName.toString('hex') });
    const { challenge, expected } = challengeFor(facts, { secret: randomBytes(32), sessionId: 'session-1', nonce });
    const answer = await device.answer(challenge, kind);
    expect(codeOf(() => checkAnswer(expected, toB64u(answer)))).toBeNull();
    expect(codeOf(() => checkAnswer(expected, toB64u(Buffer.alloc(32))))).toBe('enrol.proof');
    expect(codeOf(() => checkAnswer(expected, ''))).toBe('enrol.proof');
  });

  it('gives the secret to a TPM that holds this key only: a credential for another Name is not opened', async () => {
    const { challenge } = challengeFor({ ...check(), akName: '000b' + 'ab'.repeat(32) }, { secret: randomBytes(32), sessionId: 'session-1', nonce });
    await expect(device.answer(challenge)).rejects.toMatchObject({ code: 0x1df });
  });

  it('answers for one session and one key', () => {
    const secret = Buffer.alloc(32, 1);
    const { akName } = check();
    expect(enrolmentAnswer(secret, 'session-1', akName)).not.toEqual(enrolmentAnswer(secret, 'session-2', akName));
    expect(enrolmentAnswer(secret, 'session-1', akName)).not.toEqual(enrolmentAnswer(secret, 'session-1', '00'.repeat(34)));
  });

  it('computes what every attestation must name as its signer, and the firmware from the first quote', async () => {
    const evidence = await device.platform({ nonce });
    const record = deviceRecordOf(device.facts, evidence, { iss: 'https://verifier.example', iat: 1, jti: 'j', deviceId: 'dev_01JD0000000000000000000000' });
    const attest = readAttest(evidence.quote);
    expect(record.qualifiedSigner).toBe(attest.qualifiedSigner.toString('hex'));
    expect(record.firmware).toBe(attest.firmwareVersion);
  });

  it('names the indices as they are named once written: only so they can be certified', async () => {
    const { registerName, counterName } = check();
    expect((await device.tpm.entity(0x01d10300)).name!.toString()).toBe(Buffer.from(registerName!, 'hex').toString());
    expect((await device.tpm.entity(0x01d10301)).name!.toString()).toBe(Buffer.from(counterName!, 'hex').toString());
  });

  it('is at tier T1 at most without a certificate, or without a register', () => {
    expect(check({ ekCertificate: null, ekChain: [] })).toMatchObject({ tierMax: 'T1', ekRoot: null, simulated: false });
    expect(check({ registerPublic: null })).toMatchObject({ tierMax: 'T1', registerName: null });
    expect(TIERS.filter((tier) => atLeast(TIERS, tier, 'T2'))).not.toContain(check({ registerPublic: null }).tierMax);
  });
});

describe('the endorsement key', () => {
  it('has a certificate of its own: one of another key of the same TPM is refused', async () => {
    expect(refusal({ ekCertificate: (await endorsement('ekRsa2048')).ekCertificate })).toBe('enrol.ek_mismatch');
  });

  it('chains to a pinned root: no root, or no intermediate, is refused and not taken for a TPM without a certificate', () => {
    expect(refusal({}, [])).toBe('enrol.ek_chain');
    expect(refusal({ ekChain: [] })).toBe('enrol.ek_chain');
    expect(refusal({ ekCertificate: toB64u(Buffer.from('no certificate')) })).toBe('enrol.ek_chain');
  });

  const ek = (change: (area: Extract<Public, { type: 'ecc' }>) => Public) => refusal({ ekPublic: publicText(change(device.ekPublic as Extract<Public, { type: 'ecc' }>)), ekCertificate: null });

  it('is made from a TCG template: another policy, a signing or unrestricted key is refused', () => {
    expect(ek((area) => area)).toBe('accepted');
    expect(ek((area) => ({ ...area, authPolicy: Buffer.alloc(32) }))).toBe('enrol.ek_template');
    expect(ek((area) => ({ ...area, objectAttributes: { ...area.objectAttributes, restricted: false } }))).toBe('enrol.ek_template');
    expect(ek((area) => ({ ...area, objectAttributes: { ...area.objectAttributes, fixedTPM: false } }))).toBe('enrol.ek_template');
    expect(ek((area) => ({ ...area, objectAttributes: { ...area.objectAttributes, userWithAuth: true } }))).toBe('enrol.ek_template');
    expect(ek((area) => ({ ...area, parameters: { ...area.parameters, symmetric: { algorithm: 'aes', keyBits: 128, mode: 'cbc' } } }))).toBe('enrol.ek_template');
    expect(refusal({ ekPublic: device.begin.akPublic })).toBe('enrol.ek_template');
  });

  it('is a key: a point off the curve and a short modulus are refused', () => {
    expect(ek((area) => ({ ...area, unique: { x: area.unique.y, y: area.unique.x } }))).toBe('enrol.ek_template');
    expect(refusal({ ekPublic: publicText({ ...templates.ekRsa2048, unique: Buffer.alloc(256, 0) }) })).toBe('enrol.ek_template');
    expect(refusal({ ekPublic: publicText({ ...templates.ekRsa2048, unique: randomBytes(128) }) })).toBe('enrol.ek_template');
    expect(refusal({ ekPublic: '' })).toBe('enrol.ek_template');
  });
});

describe('the attestation key', () => {
  const ak = (change: (area: Extract<Public, { type: 'ecc' }>) => Public) => refusal({ akPublic: publicText(change(device.akPublic as Extract<Public, { type: 'ecc' }>)), registerPublic: null, counterPublic: null });

  it('is restricted: the unrestricted key 000600F2, which signs a quote that its owner wrote, is refused', () => {
    const unrestricted = objectAttributes('fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'userWithAuth', 'adminWithPolicy', 'sign');
    const area = { ...(device.akPublic as Extract<Public, { type: 'ecc' }>), objectAttributes: { ...unrestricted, decrypt: true } };
    expect(encode(Public, area).readUInt32BE(4)).toBe(0x000600f2);
    expect(ak(() => area)).toBe('enrol.ak_attributes');
    expect(() => check({ akPublic: publicText(area) })).toThrow(/no noDA, no restricted/);
  });

  it('has exactly the attributes 00050472: each other one more or less is refused', () => {
    expect(encode(Public, device.akPublic).readUInt32BE(4)).toBe(0x00050472);
    for (const name of Object.keys(templates.akP256.objectAttributes) as (keyof typeof templates.akP256.objectAttributes)[]) {
      expect(ak((area) => ({ ...area, objectAttributes: { ...area.objectAttributes, [name]: !area.objectAttributes[name] } })), name).toBe('enrol.ak_attributes');
    }
  });

  it('has one scheme, curve, hash and no policy', () => {
    expect(ak((area) => area)).toBe('accepted');
    expect(ak((area) => ({ ...area, parameters: { ...area.parameters, scheme: { scheme: 'null' } } }))).toBe('enrol.ak_attributes');
    expect(ak((area) => ({ ...area, parameters: { ...area.parameters, scheme: { scheme: 'ecdsa', hashAlg: 'sha1' } } }))).toBe('enrol.ak_attributes');
    expect(ak((area) => ({ ...area, parameters: { ...area.parameters, curveID: 'p384' } }))).toBe('enrol.ak_attributes');
    expect(ak((area) => ({ ...area, nameAlg: 'sha1' }))).toBe('enrol.ak_attributes');
    expect(ak((area) => ({ ...area, nameAlg: 'null' }))).toBe('enrol.ak_attributes');
    expect(ak((area) => ({ ...area, authPolicy: Buffer.alloc(32) }))).toBe('enrol.ak_attributes');
    expect(ak((area) => ({ ...area, unique: { x: area.unique.y, y: area.unique.x } }))).toBe('enrol.ak_attributes');
    expect(refusal({ akPublic: toB64u(Buffer.concat([encode(Public, device.akPublic), Buffer.of(0)])) })).toBe('enrol.ak_attributes');
  });

  it('may be RSASSA-2048 on a TPM without ECC', () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey;
    expect(refusal({ akPublic: publicText(publicFromKey(publicKey, templates.akRsa2048)), registerPublic: null, counterPublic: null })).toBe('accepted');
    expect(refusal({ akPublic: publicText({ ...templates.akRsa2048, unique: Buffer.from(small.export({ format: 'jwk' }).n!, 'base64url') }) })).toBe('enrol.ak_attributes');
  });
});

describe('register and counter', () => {
  const policy = () => policySecretDigest(device.akName);
  const register = (change: (area: NvPublic) => NvPublic) => refusal({ registerPublic: nvText(change(registerPublic(0x01d10300, policy()))) });
  const counter = (change: (area: NvPublic) => NvPublic) => refusal({ counterPublic: nvText(change(counterPublic(0x01d10301, policy()))) });

  it('may be in RAM or in NV, at any NV handle', () => {
    expect(refusal({ registerPublic: nvText(registerPublic(0x01d10300, policy(), { orderly: false })) })).toBe('accepted');
    expect(register((area) => ({ ...area, nvIndex: 0x01800500 }))).toBe('accepted');
    expect(register((area) => ({ ...area, nvIndex: 0x81000500 }))).toBe('enrol.register');
  });

  it('are written by this attestation key only: an auth value, the owner or another key’s policy is refused', () => {
    expect(register((area) => ({ ...area, attributes: { ...area.attributes, authWrite: true } }))).toBe('enrol.register');
    expect(register((area) => ({ ...area, attributes: { ...area.attributes, ownerWrite: true } }))).toBe('enrol.register');
    expect(register((area) => ({ ...area, attributes: { ...area.attributes, policyWrite: false, authWrite: true }, authPolicy: Buffer.alloc(0) }))).toBe('enrol.register');
    expect(register((area) => ({ ...area, authPolicy: policySecretDigest(nameOf({ ...device.akPublic, nameAlg: 'sha384' } as Public)) }))).toBe('enrol.register');
    expect(counter((area) => ({ ...area, authPolicy: Buffer.alloc(32) }))).toBe('enrol.register');
  });

  it('are of their type and size, and the register is emptied by every reset', () => {
    expect(register((area) => ({ ...area, attributes: { ...nvAttributes('ordinary', 'policyWrite', 'authRead', 'noDA', 'clearStClear', 'orderly') } }))).toBe('enrol.register');
    expect(register((area) => ({ ...area, attributes: { ...area.attributes, clearStClear: false } }))).toBe('enrol.register');
    expect(register((area) => ({ ...area, dataSize: 64 }))).toBe('enrol.register');
    expect(register((area) => ({ ...area, nameAlg: 'sha384' }))).toBe('enrol.register');
    expect(counter((area) => ({ ...area, attributes: { ...area.attributes, orderly: true } }))).toBe('enrol.register');
    expect(refusal({ registerPublic: device.begin.counterPublic })).toBe('enrol.register');
    expect(refusal({ counterPublic: device.begin.registerPublic })).toBe('enrol.register');
    expect(refusal({ registerPublic: toB64u(Buffer.from('x')) })).toBe('enrol.register');
  });
});
