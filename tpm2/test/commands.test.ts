import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as t from '../src/index.js';
import { startSwtpm, type Swtpm } from './support/swtpm.js';
import { Tapped } from './support/tapped.js';

const NONE = Buffer.alloc(0);
const KEY = { scheme: 'null' } as const;
const plain = { inSensitive: { userAuth: NONE, data: NONE }, outsideInfo: NONE, creationPCR: [] };
const sha256 = (...parts: Uint8Array[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();

let swtpm: Swtpm;
let wire: Tapped;
let tpm: t.Tpm;
const succeeded = new Set<number>();

beforeAll(async () => {
  swtpm = await startSwtpm();
  wire = new Tapped(await t.openChannel(swtpm.spec));
  wire.onResponse = (response, code) => {
    if (response.readUInt32BE(6) === 0) succeeded.add(code);
    return response;
  };
  tpm = new t.Tpm(wire);
});
afterAll(async () => {
  await tpm.close();
  await swtpm.stop();
});

const withSrk = <T>(use: (srk: { handle: number; name: Buffer }) => Promise<T>): Promise<T> =>
  tpm.withObject(tpm.run(t.CreatePrimary, { primaryHandle: t.RH.OWNER }, { ...plain, inPublic: t.templates.srkP256 }), ({ objectHandle, name }) => use({ handle: objectHandle, name }));
const withAk = <T>(use: (ak: { handle: number; name: Buffer; area: t.Public }) => Promise<T>): Promise<T> =>
  tpm.withObject(tpm.run(t.CreatePrimary, { primaryHandle: t.RH.ENDORSEMENT }, { ...plain, inPublic: t.templates.akP256 }), ({ objectHandle, name, outPublic }) => use({ handle: objectHandle, name, area: outPublic }));
const verified = (area: t.Public, bytes: Buffer, signature: t.Signature): boolean => t.verifySignature(t.publicKeyOf(area), bytes, signature, { sigAlg: 'ecdsa', hash: 'sha256' });

describe('the TPM itself', () => {
  it('starts once only, tests itself, shuts down', async () => {
    await expect(tpm.run(t.Startup, {}, { startupType: 'clear' })).rejects.toMatchObject({ name: 'TPM_RC_INITIALIZE', code: 0x100 });
    await tpm.run(t.SelfTest, {}, { fullTest: true });
    await tpm.run(t.Shutdown, {}, { shutdownType: 'state' });
    await swtpm.reset('none');
    await expect(tpm.run(t.GetRandom, {}, { bytesRequested: 1 })).rejects.toMatchObject({ base: t.RC.INITIALIZE });
    await tpm.run(t.Startup, {}, { startupType: 'state' });
  });

  it('tells capabilities: properties, handles, algorithms, commands, PCRs, PCR properties, curves', async () => {
    const ask = async (capability: keyof typeof t.CAP, property = 0): Promise<t.CapabilityData> => (await tpm.run(t.GetCapability, {}, { capability, property, propertyCount: 20 })).capabilityData;
    const properties = await ask('tpmProperties', t.PT.manufacturer);
    if (properties.capability !== 'tpmProperties') throw new Error('another capability');
    expect(properties.data[0]).toEqual({ property: t.PT.manufacturer, value: 0x49424d00 });
    expect(await ask('handles', 0x81000000)).toMatchObject({ data: [0x81010001, 0x81010016] });
    expect((await ask('pcrProperties', 0x11)).data[0]).toMatchObject({ tag: 0x11, pcrSelect: [16, 21, 22, 23] });
    expect((await ask('eccCurves')).data).toContain(3);
    expect((await ask('pcrs')).data).toHaveLength(4);
    for (const capability of ['algorithms', 'commands', 'ppCommands', 'auditCommands'] as const) expect((await ask(capability)).capability).toBe(capability);
  });

  it('gives random bytes, hashes, and tells its clock', async () => {
    expect((await tpm.run(t.GetRandom, {}, { bytesRequested: 32 })).randomBytes).toHaveLength(32);
    const { outHash, validation } = await tpm.run(t.Hash, {}, { data: Buffer.from('abc'), hashAlg: 'sha256', hierarchy: t.RH.OWNER });
    expect(outHash.equals(sha256(Buffer.from('abc')))).toBe(true);
    expect(validation.tag).toBe('hashcheck');
    const { currentTime } = await tpm.run(t.ReadClock, {}, {});
    expect(currentTime.clockInfo.clock).toBeGreaterThan(0n);
  });
});

describe('keys and objects', () => {
  it('a sealed secret comes back, by password and by HMAC, and not with a wrong auth', async () => {
    await withSrk(async (srk) => {
      const inSensitive = { userAuth: Buffer.from('pin'), data: Buffer.from('secret') };
      const made = await tpm.run(t.Create, { parentHandle: srk.handle }, { ...plain, inSensitive, inPublic: t.sealedTemplate() });
      await tpm.withObject(tpm.run(t.Load, { parentHandle: srk.handle }, { inPrivate: made.outPrivate, inPublic: made.outPublic }), async ({ objectHandle, name }) => {
        expect(name.equals(t.nameOf(made.outPublic))).toBe(true);
        for (const auth of [t.password('pin'), t.hmac('pin')]) {
          const { outData } = await tpm.run(t.Unseal, { itemHandle: { handle: objectHandle, name } }, {}, { auth });
          expect(outData.toString()).toBe('secret');
        }
        await expect(tpm.run(t.Unseal, { itemHandle: { handle: objectHandle, name, auth: t.hmac('no') } }, {})).rejects.toMatchObject({ code: 0x9a2 });
        await expect(tpm.run(t.Unseal, { itemHandle: objectHandle }, {}, { auth: t.hmac('pin') })).rejects.toThrow(TypeError);
      });
    });
  });

  it('a persistent key is made, read and removed', async () => {
    await withAk(async ({ handle, name, area }) => {
      await tpm.run(t.EvictControl, { auth: t.RH.OWNER, objectHandle: handle }, { persistentHandle: 0x8102a710 }).catch((error: unknown) => expect(error).toBeUndefined());
      const read = await tpm.run(t.ReadPublic, { objectHandle: 0x8102a710 }, {});
      expect(read.outPublic).toEqual(area);
      expect(read.name.equals(name)).toBe(true);
      expect(read.qualifiedName.equals(t.qualifiedName(t.RH.ENDORSEMENT, name))).toBe(true);
      await tpm.run(t.EvictControl, { auth: t.RH.OWNER, objectHandle: 0x8102a710 }, { persistentHandle: 0x8102a710 });
      await expect(tpm.run(t.ReadPublic, { objectHandle: 0x8102a710 }, {})).rejects.toMatchObject({ base: t.RC.HANDLE });
    });
  });

  it('a context is saved, flushed and loaded again', async () => {
    await withSrk(async ({ handle, name }) => {
      const { context } = await tpm.run(t.ContextSave, { saveHandle: handle }, {});
      await tpm.run(t.FlushContext, {}, { flushHandle: handle });
      const { loadedHandle } = await tpm.run(t.ContextLoad, {}, { context });
      expect((await tpm.run(t.ReadPublic, { objectHandle: loadedHandle }, {})).name.equals(name)).toBe(true);
      await tpm.flush(loadedHandle);
    });
  });

  it('a restricted key signs a digest only with the TPM’s ticket, and the TPM verifies what it signed', async () => {
    await withAk(async ({ handle, area }) => {
      const digest = sha256(Buffer.from('message'));
      await expect(tpm.run(t.Sign, { keyHandle: handle }, { digest, inScheme: KEY, validation: t.NULL_HASHCHECK })).rejects.toMatchObject({ base: t.RC.TICKET });
      const { outHash, validation } = await tpm.run(t.Hash, {}, { data: Buffer.from('message'), hashAlg: 'sha256', hierarchy: t.RH.OWNER });
      const { signature } = await tpm.run(t.Sign, { keyHandle: handle }, { digest: outHash, inScheme: KEY, validation });
      expect(verified(area, Buffer.from('message'), signature)).toBe(true);
      await tpm.withObject(tpm.run(t.LoadExternal, {}, { inPrivate: null, inPublic: area, hierarchy: t.RH.NULL }), async ({ objectHandle }) => {
        expect((await tpm.run(t.VerifySignature, { keyHandle: objectHandle }, { digest, signature })).validation.tag).toBe('verified');
        await expect(tpm.run(t.VerifySignature, { keyHandle: objectHandle }, { digest: sha256(NONE), signature })).rejects.toMatchObject({ base: t.RC.SIGNATURE });
      });
    });
  });

  it.each(['ekP256', 'ekP384', 'ekRsa2048'] as const)('%s: a credential made by the TPM, and one made in software, are activated for one Name only', async (kind) => {
    await tpm.withObject(t.createEk(tpm, kind), (ek) => withAk(async (ak) => {
      const secret = randomBytes(32);
      const byTpm = await tpm.run(t.MakeCredential, { handle: ek.objectHandle }, { credential: secret, objectName: ak.name });
      const ours = t.makeCredential({ ekPublic: ek.outPublic, akName: ak.name, secret });
      const activate = ({ credentialBlob, encryptedSecret }: t.Credential): Promise<{ certInfo: Buffer }> => t.withEkSession(tpm, kind, (auth) =>
        tpm.run(t.ActivateCredential, { activateHandle: ak, keyHandle: { handle: ek.objectHandle, name: ek.name, auth } }, { credentialBlob, secret: encryptedSecret }));
      expect((await activate({ credentialBlob: byTpm.credentialBlob, encryptedSecret: byTpm.secret })).certInfo.equals(secret)).toBe(true);
      expect((await activate(ours)).certInfo.equals(secret)).toBe(true);
      await expect(activate(t.makeCredential({ ekPublic: ek.outPublic, akName: ek.name, secret }))).rejects.toMatchObject({ code: 0x1df });
      await expect(tpm.withSession({ type: 'policy', hash: t.templates[kind].nameAlg }, (auth) => // a policy session that proved nothing
        tpm.run(t.ActivateCredential, { activateHandle: ak, keyHandle: { handle: ek.objectHandle, auth } }, { credentialBlob: ours.credentialBlob, secret: ours.encryptedSecret })))
        .rejects.toMatchObject({ code: 0xa9d, where: { kind: 'session', number: 2 } });
    }));
  });
});

describe('attestation', () => {
  const qualifyingData = randomBytes(32);

  it('quote, certify, certify creation and time are signed, decode, and name signer and nonce', async () => {
    await tpm.withObject(tpm.run(t.CreatePrimary, { primaryHandle: t.RH.ENDORSEMENT }, { ...plain, inPublic: t.templates.akP256 }), async (ak) => {
      const signHandle = ak.objectHandle;
      const attests = {
        quote: await tpm.run(t.Quote, { signHandle }, { qualifyingData, inScheme: KEY, PCRselect: t.selectPcrs('sha256', [0, 1]) }).then(({ quoted, signature }) => ({ certifyInfo: quoted, signature })),
        certify: await tpm.run(t.Certify, { objectHandle: signHandle, signHandle }, { qualifyingData, inScheme: KEY }),
        creation: await tpm.run(t.CertifyCreation, { signHandle, objectHandle: signHandle }, { qualifyingData, creationHash: ak.creationHash, inScheme: KEY, creationTicket: ak.creationTicket }),
        time: await tpm.run(t.GetTime, { privacyAdminHandle: t.RH.ENDORSEMENT, signHandle }, { qualifyingData, inScheme: KEY }).then(({ timeInfo, signature }) => ({ certifyInfo: timeInfo, signature })),
      };
      for (const [type, { certifyInfo, signature }] of Object.entries(attests)) {
        const attest = t.decode(t.Attest, certifyInfo);
        expect(attest.type).toBe(type);
        expect(attest.extraData.equals(qualifyingData)).toBe(true);
        expect(attest.qualifiedSigner.equals(t.qualifiedName(t.RH.ENDORSEMENT, ak.name))).toBe(true);
        expect(verified(ak.outPublic, certifyInfo, signature)).toBe(true);
        expect(verified(ak.outPublic, Buffer.concat([certifyInfo, Buffer.of(0)]), signature)).toBe(false);
      }
      const { outPublic, creationHash } = ak;
      expect(t.p1363Of(attests.quote.signature, 32)).toHaveLength(64);
      expect(sha256(t.encode(t.CreationData, ak.creationData)).equals(creationHash)).toBe(true);
      expect(t.nameOf(outPublic).equals(ak.name)).toBe(true);
    });
  });

  it('PCRs are extended, read and reset, and the quote’s digest is that of the values', async () => {
    const digest = randomBytes(32);
    await tpm.run(t.PCR_Reset, { pcrHandle: 16 }, {});
    await tpm.run(t.PCR_Extend, { pcrHandle: 16 }, { digests: [{ hashAlg: 'sha256', digest }] });
    const { pcrValues } = await tpm.run(t.PCR_Read, {}, { pcrSelectionIn: t.selectPcrs('sha256', [16]) });
    expect(pcrValues[0]?.equals(sha256(Buffer.alloc(32), digest))).toBe(true);
    await withAk(async ({ handle }) => {
      const { quoted } = await tpm.run(t.Quote, { signHandle: handle }, { qualifyingData, inScheme: KEY, PCRselect: t.selectPcrs('sha256', [16]) });
      expect(t.decode(t.Attest, quoted)).toMatchObject({ attested: { pcrDigest: sha256(...pcrValues) } });
    });
    await expect(tpm.run(t.PCR_Reset, { pcrHandle: 0 }, {})).rejects.toMatchObject({ base: 0x907 });
  });
});

describe('policies', () => {
  it('PCR, command code, auth value, secret and OR come to the digests that we compute', async () => {
    const pcrs = t.selectPcrs('sha256', [0, 16]);
    const { pcrValues } = await tpm.run(t.PCR_Read, {}, { pcrSelectionIn: pcrs });
    const digestOf = (steps: (policySession: number) => Promise<unknown>): Promise<Buffer> => tpm.withSession({ type: 'trial' }, async ({ handle }) => {
      await steps(handle);
      return (await tpm.run(t.PolicyGetDigest, { policySession: handle }, {})).policyDigest;
    });
    const pcrDigest = sha256(...pcrValues);
    const byPcr = await digestOf((policySession) => tpm.run(t.PolicyPCR, { policySession }, { pcrDigest: NONE, pcrs }));
    expect(byPcr.equals(t.policyPcrDigest(pcrs, pcrDigest))).toBe(true);
    expect((await digestOf((policySession) => tpm.run(t.PolicyCommandCode, { policySession }, { code: t.Unseal.code }))).equals(t.policyCommandCodeDigest(t.Unseal.code))).toBe(true);
    expect((await digestOf((policySession) => tpm.run(t.PolicyAuthValue, { policySession }, {}))).equals(t.policyAuthValueDigest())).toBe(true);
    const secret = { nonceTPM: NONE, cpHashA: NONE, policyRef: Buffer.from('ref'), expiration: 0 };
    expect((await digestOf((policySession) => tpm.run(t.PolicySecret, { authHandle: t.RH.OWNER, policySession }, secret)))
      .equals(t.policySecretDigest(Buffer.from('40000001', 'hex'), { policyRef: Buffer.from('ref') }))).toBe(true);
    const pHashList = [t.policies.PolA, byPcr];
    expect((await digestOf((policySession) => tpm.run(t.PolicyOR, { policySession }, { pHashList }))).equals(t.policyOrDigest(pHashList))).toBe(true);
  });
});

describe('hierarchies', () => {
  it('auth of the owner is changed and changed back, under HMAC of the old and then of the new value', async () => {
    await tpm.run(t.HierarchyChangeAuth, { authHandle: t.RH.OWNER }, { newAuth: Buffer.from('owner') });
    await expect(tpm.run(t.CreatePrimary, { primaryHandle: t.RH.OWNER }, { ...plain, inPublic: t.templates.srkP256 })).rejects.toMatchObject({ code: 0x9a2 });
    await tpm.run(t.HierarchyChangeAuth, { authHandle: t.RH.OWNER }, { newAuth: Buffer.from('other') }, { auth: t.hmac('owner') });
    await tpm.run(t.HierarchyChangeAuth, { authHandle: t.RH.OWNER }, { newAuth: NONE }, { auth: t.hmac('other') });
    await withSrk(async () => undefined);
  });

  it('lockout is entered after wrong auths and left by the reset', async () => {
    await tpm.run(t.DictionaryAttackParameters, { lockHandle: t.RH.LOCKOUT }, { newMaxTries: 1, newRecoveryTime: 1000, lockoutRecovery: 1000 });
    const inPublic = { ...t.templates.srkP256, objectAttributes: { ...t.templates.srkP256.objectAttributes, noDA: false } };
    const inSensitive = { userAuth: Buffer.from('right'), data: NONE };
    await tpm.withObject(tpm.run(t.CreatePrimary, { primaryHandle: t.RH.OWNER }, { ...plain, inSensitive, inPublic }), async ({ objectHandle, name }) => {
      const use = (auth: t.Auth): Promise<unknown> => tpm.run(t.Create, { parentHandle: { handle: objectHandle, name, auth } }, { ...plain, inSensitive: { userAuth: NONE, data: Buffer.from('x') }, inPublic: { ...t.sealedTemplate(), objectAttributes: { ...t.sealedTemplate().objectAttributes, noDA: false } } });
      await expect(use(t.password('wrong'))).rejects.toMatchObject({ name: 'TPM_RC_AUTH_FAIL' });
      await expect(use(t.hmac('right'))).rejects.toMatchObject({ name: 'TPM_RC_LOCKOUT', code: 0x921 });
      await tpm.run(t.DictionaryAttackLockReset, { lockHandle: t.RH.LOCKOUT }, {});
      await use(t.hmac('right'));
    });
    await tpm.run(t.DictionaryAttackParameters, { lockHandle: t.RH.LOCKOUT }, { newMaxTries: 3, newRecoveryTime: 1000, lockoutRecovery: 1000 });
  });
});

describe('NV', () => {
  it('an index that its own auth value does not read is read as the owner', async () => {
    const nvIndex = 0x01800007;
    const publicInfo: t.NvPublic = { nvIndex, nameAlg: 'sha256', attributes: t.nvAttributes('ordinary', 'ownerWrite', 'ownerRead', 'noDA'), authPolicy: NONE, dataSize: 4 };
    await tpm.run(t.NV_DefineSpace, { authHandle: t.RH.OWNER }, { auth: NONE, publicInfo });
    await tpm.run(t.NV_Write, { authHandle: t.RH.OWNER, nvIndex }, { data: Buffer.from('data'), offset: 0 });
    await expect(tpm.run(t.NV_Read, { authHandle: nvIndex, nvIndex }, { size: 4, offset: 0 })).rejects.toMatchObject({ name: 'TPM_RC_AUTH_UNAVAILABLE' });
    expect((await t.readNv(tpm, nvIndex)).toString()).toBe('data');
    await tpm.run(t.NV_UndefineSpace, { authHandle: t.RH.OWNER, nvIndex }, {});
  });

  const ordinary = (nvIndex: number): t.NvPublic => ({ nvIndex, nameAlg: 'sha256', attributes: t.nvAttributes('ordinary', 'ownerWrite', 'ownerRead', 'authRead', 'writeDefine', 'noDA'), authPolicy: NONE, dataSize: 700 });

  it('an ordinary index is defined, written, read in chunks, locked and undefined', async () => {
    const nvIndex = 0x01800001;
    await tpm.run(t.NV_DefineSpace, { authHandle: t.RH.OWNER }, { auth: NONE, publicInfo: ordinary(nvIndex) });
    await expect(tpm.run(t.NV_DefineSpace, { authHandle: t.RH.OWNER }, { auth: NONE, publicInfo: ordinary(nvIndex) })).rejects.toMatchObject({ name: 'TPM_RC_NV_DEFINED' });
    await expect(t.readNv(tpm, nvIndex)).rejects.toMatchObject({ name: 'TPM_RC_NV_UNINITIALIZED', code: 0x14a });
    const data = randomBytes(700);
    await tpm.run(t.NV_Write, { authHandle: t.RH.OWNER, nvIndex }, { data: data.subarray(0, 400), offset: 0 });
    await tpm.run(t.NV_Write, { authHandle: t.RH.OWNER, nvIndex }, { data: data.subarray(400), offset: 400 });
    expect((await t.readNv(tpm, nvIndex)).equals(data)).toBe(true);
    await tpm.run(t.NV_WriteLock, { authHandle: t.RH.OWNER, nvIndex }, {});
    await expect(tpm.run(t.NV_Write, { authHandle: t.RH.OWNER, nvIndex }, { data, offset: 0 })).rejects.toMatchObject({ name: 'TPM_RC_NV_LOCKED' });
    await tpm.run(t.NV_UndefineSpace, { authHandle: t.RH.OWNER, nvIndex }, {});
    await expect(tpm.run(t.NV_ReadPublic, { nvIndex }, {})).rejects.toMatchObject({ base: t.RC.HANDLE });
  });

  it('a register and a counter move by PolicySecret of the AK alone, and are certified by it', async () => {
    await withAk(async (ak) => {
      const policy = t.policySecretDigest(ak.name);
      const withPolicy = <T>(use: (auth: t.Session) => Promise<T>): Promise<T> => tpm.withSession({ type: 'policy' }, async (auth) => {
        await tpm.run(t.PolicySecret, { authHandle: { ...ak, auth: t.hmac('') }, policySession: auth.handle }, { nonceTPM: NONE, cpHashA: NONE, policyRef: NONE, expiration: 0 });
        return await use(auth);
      });
      const register = t.registerPublic(0x01d10300, policy);
      const counter = t.counterPublic(0x01d10301, policy);
      for (const publicInfo of [register, counter]) await tpm.run(t.NV_DefineSpace, { authHandle: t.RH.OWNER }, { auth: NONE, publicInfo });
      const log = register.nvIndex;
      const certify = (nvIndex: number, size: number, name: Buffer): Promise<{ certifyInfo: Buffer; signature: t.Signature }> =>
        tpm.run(t.NV_Certify, { signHandle: { ...ak, auth: t.hmac('') }, authHandle: { handle: nvIndex, name }, nvIndex: { handle: nvIndex, name } }, { qualifyingData: NONE, inScheme: KEY, size, offset: 0 });
      await expect(certify(log, 32, t.nvNameOf(register))).rejects.toMatchObject({ code: 0x14a });
      const digest = randomBytes(32);
      await withPolicy((auth) => tpm.run(t.NV_Extend, { authHandle: { handle: log, name: t.nvNameOf(register), auth }, nvIndex: log }, { data: digest }));
      await withPolicy((auth) => tpm.run(t.NV_Increment, { authHandle: { handle: counter.nvIndex, auth }, nvIndex: counter.nvIndex }, {}));
      await expect(tpm.run(t.NV_Extend, { authHandle: log, nvIndex: log }, { data: digest })).rejects.toMatchObject({ code: 0x12f });
      await expect(tpm.run(t.NV_Extend, { authHandle: t.RH.OWNER, nvIndex: log }, { data: digest })).rejects.toMatchObject({ code: 0x149 });
      await expect(tpm.withSession({ type: 'policy' }, (auth) => tpm.run(t.NV_Extend, { authHandle: { handle: log, auth }, nvIndex: log }, { data: digest }))).rejects.toMatchObject({ code: 0x99d });

      const name = t.nvNameOf(t.written(register));
      expect((await tpm.run(t.NV_ReadPublic, { nvIndex: log }, {})).nvName.equals(name)).toBe(true);
      const { certifyInfo, signature } = await certify(log, 32, name);
      expect(verified(ak.area, certifyInfo, signature)).toBe(true);
      expect(certifyInfo.readUInt16BE(4)).toBe(0x8014);
      expect(t.decode(t.Attest, certifyInfo)).toMatchObject({ type: 'nv', attested: { indexName: name, offset: 0, nvContents: sha256(Buffer.alloc(32), digest) } });
      expect(t.decode(t.Attest, (await certify(log, 0, name)).certifyInfo).type).toBe('nvDigest');
      expect((await t.readNv(tpm, counter.nvIndex)).readBigUInt64BE()).toBeGreaterThan(0n);
      for (const nvIndex of [log, counter.nvIndex]) await tpm.run(t.NV_UndefineSpace, { authHandle: t.RH.OWNER, nvIndex }, {});
    });
  });
});

it('TPM2_Clear ends the owner’s keys', async () => {
  await withSrk(async (srk) => {
    const made = await tpm.run(t.Create, { parentHandle: srk.handle }, { ...plain, inSensitive: { userAuth: NONE, data: Buffer.from('x') }, inPublic: t.sealedTemplate() });
    await tpm.run(t.HierarchyChangeAuth, { authHandle: t.RH.LOCKOUT }, { newAuth: Buffer.from('lockout') });
    await tpm.run(t.Clear, { authHandle: t.RH.LOCKOUT }, {}, { auth: t.hmac('lockout') });
    await withSrk(async (other) => {
      expect(other.name.equals(srk.name)).toBe(false);
      await expect(tpm.run(t.Load, { parentHandle: other.handle }, { inPrivate: made.outPrivate, inPublic: made.outPublic })).rejects.toMatchObject({ code: 0x1df });
    });
  });
});

it('every command of the table was carried out by the TPM in this file', () => {
  expect([...t.COMMANDS.values()].filter(({ code }) => !succeeded.has(code)).map(({ name }) => name)).toEqual([]);
});

it('and nothing is left in the TPM but one idle session', async () => {
  for (const [property, count] of [[0x80000000, 0], [0x02000000, 1]] as const) {
    const { capabilityData } = await tpm.run(t.GetCapability, {}, { capability: 'handles', property, propertyCount: 64 });
    expect(capabilityData.data.length).toBeLessThanOrEqual(count);
  }
});
