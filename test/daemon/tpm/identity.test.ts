import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Clear, EK_CERTIFICATE_INDEX, EvictControl, GetCapability, HierarchyChangeAuth, NV_UndefineSpace, Public, Quote, RC, RH, decode, hmac, makeCredential } from '@ari-sidecar/tpm2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fromB64u, toB64u } from '../../../src/base/bytes.js';
import { type Bed, TestVerifier, nonce, startBed } from './bed.js';

const persistentHandles = (bed: Bed): Promise<number[]> => bed.stranger(async (tpm) => {
  const { capabilityData } = await tpm.run(GetCapability, {}, { capability: 'handles', property: 0x81000000, propertyCount: 254 });
  return capabilityData.capability === 'handles' ? capabilityData.data.filter((handle) => handle >= 0x8102a710) : [];
});

describe('the attestation key', () => {
  let bed: Bed;
  let verifier: TestVerifier;
  beforeEach(async () => { bed = await startBed(); verifier = new TestVerifier(bed); });
  afterEach(() => bed.stop());

  it('is enrolled: its TPM reads the challenge, and the verifier appraises what it signs', async () => {
    const prover = await bed.open();
    const facts = await verifier.enrol(prover);
    expect(prover).toMatchObject({ tier: 'T2', reason: null, fault: null, akName: facts.akName });
    expect(facts.tierMax).toBe('T3');
    expect(await verifier.connect(prover)).toEqual([]);
  });

  it('is the same after a restart of the daemon, and no second one is made', async () => {
    const first = await bed.open();
    await verifier.enrol(first);
    await first.close();
    const second = await bed.open();
    expect(second.akName).toBe(first.akName ?? verifier.known.record.value.akName);
    expect(await verifier.connect(second)).toEqual([]);
    expect(await persistentHandles(bed)).toHaveLength(1);
  });

  it('is no use to a process without its authValue', async () => {
    const prover = await bed.open();
    const [handle = 0] = await persistentHandles(bed);
    const params = { qualifyingData: Buffer.alloc(32), inScheme: { scheme: 'null' as const }, PCRselect: [] };
    for (const auth of [undefined, hmac('guess')]) {
      await expect(bed.stranger(async (tpm) => tpm.run(Quote, { signHandle: await tpm.entity(handle, auth) }, params))).rejects.toMatchObject({ base: RC.BAD_AUTH });
    }
    expect(prover.tier).toBe('T2');
  });

  it('answers no challenge that was made for another key', async () => {
    const prover = await bed.open();
    const ekPublic = decode(Public, fromB64u(prover.enrolBegin('code').ekPublic)!);
    const { credentialBlob, encryptedSecret } = makeCredential({ ekPublic, akName: Buffer.alloc(34, 1), secret: Buffer.alloc(32, 7) });
    const challenge = { sessionId: 's', credentialBlob: toB64u(credentialBlob), encryptedSecret: toB64u(encryptedSecret), nonce: nonce() };
    await expect(prover.enrolAnswer(challenge)).rejects.toMatchObject({ code: 'enrol.proof' });
    expect(prover.tier).toBe('T2');
  });

  it('is persisted again from its blob when a stranger evicted it', async () => {
    const prover = await bed.open();
    await verifier.enrol(prover);
    const [handle = 0] = await persistentHandles(bed);
    await bed.stranger((tpm) => tpm.run(EvictControl, { auth: RH.OWNER, objectHandle: handle }, { persistentHandle: handle }));
    await expect(prover.prove(verifier.parts())).rejects.toMatchObject({ code: 'tpm.refused' });
    expect(prover.tier).toBe('T0');
    expect(await prover.recover()).toBe(true);
    expect(prover).toMatchObject({ tier: 'T2', akName: verifier.known.record.value.akName });
    expect(await verifier.connect(prover)).toEqual([]);
  });

  it('is made with the authValue that was written before, when the maker was killed in between', async () => {
    const prover = await bed.open();
    await prover.close();
    const path = join(bed.config.stateDir, 'ak.json');
    const state = JSON.parse(await readFile(path, 'utf8')) as { key: unknown; auth: string };
    await writeFile(path, JSON.stringify({ ...state, key: null }));
    const again = await bed.open();
    expect(again.tier).toBe('T2');
    expect((JSON.parse(await readFile(path, 'utf8')) as typeof state).auth).toBe(state.auth);
  });

  it('is made anew, and enrolled anew, after TPM2_Clear; the counter goes on above its old value', async () => {
    const prover = await bed.open();
    await verifier.enrol(prover);
    const before = { name: prover.akName, ctr: verifier.known.clock?.ctr ?? 0n };
    await bed.stranger((tpm) => tpm.run(Clear, { authHandle: RH.LOCKOUT }, {}));
    await expect(prover.prove(verifier.parts())).rejects.toMatchObject({ code: expect.stringMatching(/^tpm\./) });
    await prover.recover();
    expect(prover.reason).toBeNull();
    expect(bed.said).toContain('identity_lost');
    expect(prover.akName).not.toBe(before.name);
    await verifier.enrol(prover);
    expect(verifier.known.clock?.ctr).toBeGreaterThan(before.ctr);
  });

  it('never replaces or removes a key that is not ours', async () => {
    const first = await bed.open();
    await first.close();
    await rm(join(bed.config.stateDir, 'ak.json'));
    await bed.open();
    expect(await persistentHandles(bed)).toHaveLength(2);
  });

  it('is loaded at each start where the owner does not let it be persisted: tier T1, with the reason', async () => {
    await bed.stranger((tpm) => tpm.run(HierarchyChangeAuth, { authHandle: RH.OWNER }, { newAuth: Buffer.from('owner') }));
    const prover = await bed.open();
    expect(prover.tier).toBe('T1');
    expect(prover.reason).toMatch(/^tpm\.auth: .*authorisation/);
    expect(await persistentHandles(bed)).toEqual([]);
    const facts = await verifier.enrol(prover);
    expect(facts).toMatchObject({ registerName: null, counterName: null, tierMax: 'T1' });
    const parts = verifier.parts();
    const proof = await prover.prove(parts);
    expect(proof).toMatchObject({ register: null, quote: expect.anything() });
    expect(verifier.pay(parts, proof)).toBe('register.missing');
    await prover.close();
    expect((await bed.open()).akName).toBe(verifier.known.record.value.akName);
  });

  it('has register and tier T2 again when the owner authorisation is given by file', async () => {
    await bed.stranger((tpm) => tpm.run(HierarchyChangeAuth, { authHandle: RH.OWNER }, { newAuth: Buffer.from('owner') }));
    const ownerAuthFile = join(bed.config.stateDir, 'owner');
    await writeFile(ownerAuthFile, 'owner\n', { mode: 0o600 });
    expect((await bed.open({ ownerAuthFile })).tier).toBe('T2');
  });

  it('is out of reach where the endorsement authorisation is set and not given: tier T0, never another hierarchy', async () => {
    await bed.stranger((tpm) => tpm.run(HierarchyChangeAuth, { authHandle: RH.ENDORSEMENT }, { newAuth: Buffer.from('endorsement') }));
    expect(await bed.open()).toMatchObject({ tier: 'T0', fault: 'tpm.auth', akName: null });
    const endorsementAuthFile = join(bed.config.stateDir, 'endorsement');
    await writeFile(endorsementAuthFile, 'endorsement', { mode: 0o600 });
    expect((await bed.open({ endorsementAuthFile })).tier).toBe('T2');
  });
});

describe('the endorsement key', () => {
  let bed: Bed;
  beforeEach(async () => { bed = await startBed({ ecCertificate: false }); });
  afterEach(() => bed.stop());
  const removeCertificates = (...indices: number[]): Promise<void> => bed.stranger(async (tpm) => {
    for (const nvIndex of indices) await tpm.run(NV_UndefineSpace, { authHandle: RH.PLATFORM, nvIndex }, {});
  });

  it('is the RSA one where P-256 has no certificate, and enrols too', async () => {
    expect((await new TestVerifier(bed).enrol(await bed.open())).ekPublic.type).toBe('rsa');
  });

  it('is the P-384 one where it alone has a certificate: its policy is another, and it enrols too', async () => {
    await removeCertificates(EK_CERTIFICATE_INDEX.ekRsa2048);
    const prover = await bed.open();
    expect(prover.tier).toBe('T2');
    expect((await new TestVerifier(bed).enrol(prover)).ekPublic.nameAlg).toBe('sha384');
    const { kid } = await prover.agentKey('shopper');
    await prover.close();
    expect((await (await bed.open()).agentKey('shopper')).kid).toBe(kid);
  });

  it('is P-256 without a certificate where none has one: tier T1, with the reason', async () => {
    await removeCertificates(EK_CERTIFICATE_INDEX.ekRsa2048, EK_CERTIFICATE_INDEX.ekP384);
    const prover = await bed.open();
    expect(prover).toMatchObject({ tier: 'T1', reason: 'the TPM holds no endorsement certificate' });
    expect(prover.enrolBegin('code').ekCertificate).toBeNull();
    expect(await prover.doctor()).toContainEqual(expect.objectContaining({ name: 'ek_certificate', ok: false }));
  });
});
