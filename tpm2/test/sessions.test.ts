import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as t from '../src/index.js';
import { startSwtpm, type Swtpm } from './support/swtpm.js';
import { Tapped } from './support/tapped.js';

const NONE = Buffer.alloc(0);
const KEY = { scheme: 'null' } as const;
const AUTH = randomBytes(32);

let swtpm: Swtpm;
let wire: Tapped;
let tpm: t.Tpm;
let ek: t.EndorsementKey;
let ak: { handle: number; name: Buffer; auth: t.Auth };

beforeAll(async () => {
  swtpm = await startSwtpm();
  wire = new Tapped(await t.openChannel(swtpm.spec));
  tpm = new t.Tpm(wire);
  ek = await t.createEk(tpm, 'ekP256');
  const loaded = await t.withEkSession(tpm, 'ekP256', (auth) => tpm.run(t.Create, { parentHandle: { handle: ek.objectHandle, auth } },
    { inSensitive: { userAuth: AUTH, data: NONE }, inPublic: t.templates.akP256, outsideInfo: NONE, creationPCR: [] })).then((made) =>
    t.withEkSession(tpm, 'ekP256', (auth) => tpm.run(t.Load, { parentHandle: { handle: ek.objectHandle, auth } }, { inPrivate: made.outPrivate, inPublic: made.outPublic })));
  ak = { handle: loaded.objectHandle, name: loaded.name, auth: t.hmac(AUTH) };
});
afterAll(async () => {
  await tpm.close();
  await swtpm.stop();
});

const quote = (signHandle: t.Entity, options?: t.RunOptions): Promise<{ quoted: Buffer; signature: t.Signature }> =>
  tpm.run(t.Quote, { signHandle }, { qualifyingData: Buffer.alloc(32, 7), inScheme: KEY, PCRselect: t.selectPcrs('sha256', [0]) }, options);
const calmly = async (change: Partial<Pick<Tapped, 'onCommand' | 'onResponse'>>, use: () => Promise<unknown>): Promise<void> => {
  const before = { onCommand: wire.onCommand, onResponse: wire.onResponse };
  Object.assign(wire, change);
  try { await use(); } finally { Object.assign(wire, before); }
};
const flipped = (bytes: Buffer, at: number): Buffer => { const out = Buffer.from(bytes); out[at < 0 ? out.length + at : at]! ^= 1; return out; };

describe('HMAC authorization', () => {
  it('uses one long-lived session, so a command is one command', async () => {
    await quote(ak);
    wire.sent.length = 0;
    for (let i = 0; i < 3; i++) await quote(ak);
    expect(wire.sent).toEqual([t.Quote.code, t.Quote.code, t.Quote.code]);
  });

  it('never puts the auth value on the bus, as a password does', async () => {
    const seen: Buffer[] = [];
    await calmly({ onCommand: (command) => { seen.push(command); return command; } }, async () => {
      await quote(ak);
      await quote({ ...ak, auth: t.password(AUTH) });
    });
    expect(seen.map((bytes) => bytes.includes(AUTH))).toEqual([false, true]);
  });

  it('is refused by the TPM with a wrong or an empty value: 0x9A2, and the key goes on working', async () => {
    for (const auth of [t.hmac('wrong'), t.hmac(''), t.password('wrong'), t.password('')]) await expect(quote({ ...ak, auth })).rejects.toMatchObject({ code: 0x9a2, name: 'TPM_RC_BAD_AUTH' });
    await quote(ak);
  });

  it('is refused by the TPM when a byte of the command is changed on the way', async () => {
    await calmly({ onCommand: (command) => flipped(command, -1) }, () => expect(quote(ak)).rejects.toMatchObject({ base: t.RC.BAD_AUTH }));
    await quote(ak);
  });

  it('is refused by us when the response is changed on the way, wherever', async () => {
    let honest: Buffer = NONE;
    await calmly({ onResponse: (response) => (honest = response) }, () => quote(ak));
    for (const at of [20, 60, 120, honest.length - 40, honest.length - 34, honest.length - 1]) {
      await calmly({ onResponse: (response, code) => (code === t.Quote.code ? flipped(response, at) : response) }, async () => {
        await expect(quote(ak)).rejects.toMatchObject({ name: 'ChannelError', code: 'garbage' });
      });
    }
    await quote(ak); // with a new session, and the old ones are flushed
    expect((await tpm.run(t.GetCapability, {}, { capability: 'handles', property: 0x02000000, propertyCount: 64 })).capabilityData.data).toHaveLength(1);
  });

  it('does not take an older response of the same command', async () => {
    let old: Buffer = NONE;
    await calmly({ onResponse: (response) => (old = response) }, () => quote(ak));
    await calmly({ onResponse: (response, code) => (code === t.Quote.code ? old : response) }, () => expect(quote(ak)).rejects.toMatchObject({ code: 'garbage' }));
  });

  it('does not take a response without the session, or an HMAC cut short', async () => {
    const stripped = (response: Buffer): Buffer => {
      const size = response.readUInt32BE(10);
      const out = Buffer.concat([Buffer.from('8001', 'hex'), response.subarray(2, 10), response.subarray(14, 14 + size)]);
      out.writeUInt32BE(out.length, 2);
      return out;
    };
    await calmly({ onResponse: (response, code) => (code === t.Quote.code ? stripped(response) : response) }, () => expect(quote(ak)).rejects.toMatchObject({ code: 'garbage' }));
    const cut = (response: Buffer): Buffer => {
      const out = Buffer.concat([response.subarray(0, -34), Buffer.from('0000', 'hex')]);
      out.writeUInt32BE(out.length, 2);
      return out;
    };
    await calmly({ onResponse: (response, code) => (code === t.Quote.code ? cut(response) : response) }, () => expect(quote(ak)).rejects.toMatchObject({ code: 'garbage' }));
  });

  it('of two keys in one command takes two sessions, and keeps one', async () => {
    await tpm.run(t.Certify, { objectHandle: ak, signHandle: ak }, { qualifyingData: NONE, inScheme: KEY });
    const { capabilityData } = await tpm.run(t.GetCapability, {}, { capability: 'handles', property: 0x02000000, propertyCount: 64 });
    expect(capabilityData.data).toHaveLength(1);
  });

  it('works with a session of one’s own, and says when that was lost', async () => {
    await tpm.withSession({ hash: 'sha384' }, async (session) => {
      const before = session.nonceTPM;
      await quote({ ...ak, auth: t.hmac(AUTH, session) });
      await quote({ ...ak, auth: t.hmac(AUTH, session) });
      expect(session.nonceTPM.equals(before)).toBe(false);
      await calmly({ onResponse: (response, code) => (code === t.Quote.code ? flipped(response, 30) : response) }, () => expect(quote({ ...ak, auth: t.hmac(AUTH, session) })).rejects.toMatchObject({ code: 'garbage' }));
      await expect(quote({ ...ak, auth: t.hmac(AUTH, session) })).rejects.toMatchObject({ code: 'closed' });
    });
  });
});

describe('salted sessions', () => {
  const seal = async (use: (sealed: { handle: number; name: Buffer }) => Promise<void>): Promise<void> => {
    await tpm.flush(ak.handle); // three slots, of which TPM2_Create needs one for the moment
    const srk = await tpm.run(t.CreatePrimary, { primaryHandle: t.RH.OWNER }, { inSensitive: { userAuth: NONE, data: NONE }, inPublic: t.templates.srkP256, outsideInfo: NONE, creationPCR: [] });
    const made = await tpm.run(t.Create, { parentHandle: srk.objectHandle }, { inSensitive: { userAuth: AUTH, data: Buffer.from('the sealed secret') }, inPublic: t.sealedTemplate(), outsideInfo: NONE, creationPCR: [] });
    const loaded = await tpm.run(t.Load, { parentHandle: srk.objectHandle }, { inPrivate: made.outPrivate, inPublic: made.outPublic });
    await tpm.flush(srk.objectHandle);
    await tpm.withObject(Promise.resolve(loaded), ({ objectHandle, name }) => use({ handle: objectHandle, name }));
  };

  it('encrypt the answer, so that a secret does not cross the bus in clear; and detect tampering with it', async () => {
    await seal(async (sealed) => {
      const answers: Buffer[] = [];
      const salt = { handle: ek.objectHandle, publicArea: ek.outPublic };
      await calmly({ onResponse: (response) => { answers.push(response); return response; } }, async () => {
        const plain = await tpm.run(t.Unseal, { itemHandle: { ...sealed, auth: t.hmac(AUTH) } }, {});
        expect(plain.outData.toString()).toBe('the sealed secret');
        expect(answers.some((bytes) => bytes.includes('the sealed secret'))).toBe(true);
        answers.length = 0;
        await tpm.withSession({ salt, encrypted: true }, async (session) => {
          const { outData } = await tpm.run(t.Unseal, { itemHandle: { ...sealed, auth: t.hmac(AUTH, session) } }, {});
          expect(outData.toString()).toBe('the sealed secret');
          // as a session beside the one that authorises: its nonce is covered by the first session's HMAC
          const beside = await tpm.run(t.Unseal, { itemHandle: { ...sealed, auth: t.hmac(AUTH) } }, {}, { sessions: [session] });
          expect(beside.outData.toString()).toBe('the sealed secret');
          expect((await tpm.run(t.GetRandom, {}, { bytesRequested: 16 }, { sessions: [session] })).randomBytes).toHaveLength(16);
          expect((await tpm.run(t.Hash, {}, { data: Buffer.from('abc'), hashAlg: 'sha256', hierarchy: t.RH.NULL }, { sessions: [session] })).outHash.toString('hex'))
            .toBe('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
        });
        expect(answers.some((bytes) => bytes.includes('the sealed secret'))).toBe(false);
      });
    });
  });

  it('can be salted to an RSA key too', async () => {
    await tpm.withObject(t.createEk(tpm, 'ekRsa2048'), (rsa) => tpm.withSession({ salt: { handle: rsa.objectHandle, publicArea: rsa.outPublic }, encrypted: true }, async (session) => {
      expect((await tpm.run(t.GetRandom, {}, { bytesRequested: 8 }, { sessions: [session] })).randomBytes).toHaveLength(8);
    }));
  });
});

describe('policy sessions', () => {
  it('with PolicyAuthValue prove the object’s auth value by HMAC besides the policy', async () => {
    const policy = t.policyAuthValueDigest({ from: t.policyCommandCodeDigest(t.Unseal.code) });
    const srk = await tpm.run(t.CreatePrimary, { primaryHandle: t.RH.OWNER }, { inSensitive: { userAuth: NONE, data: NONE }, inPublic: t.templates.srkP256, outsideInfo: NONE, creationPCR: [] });
    const made = await tpm.run(t.Create, { parentHandle: srk.objectHandle }, { inSensitive: { userAuth: AUTH, data: Buffer.from('x') }, inPublic: t.sealedTemplate(policy), outsideInfo: NONE, creationPCR: [] });
    const { objectHandle, name } = await tpm.run(t.Load, { parentHandle: srk.objectHandle }, { inPrivate: made.outPrivate, inPublic: made.outPublic });
    await tpm.flush(srk.objectHandle);
    const unseal = (value: Uint8Array): Promise<{ outData: Buffer }> => tpm.withSession({ type: 'policy' }, async (session) => {
      await tpm.run(t.PolicyCommandCode, { policySession: session.handle }, { code: t.Unseal.code });
      await tpm.run(t.PolicyAuthValue, { policySession: session.handle }, {});
      return await tpm.run(t.Unseal, { itemHandle: { handle: objectHandle, name, auth: t.hmac(value, session) } }, {});
    });
    expect((await unseal(AUTH)).outData.toString()).toBe('x');
    await expect(unseal(Buffer.from('wrong'))).rejects.toMatchObject({ base: t.RC.BAD_AUTH });
    await tpm.flush(objectHandle);
  });

  it('end with their first use, and are flushed where it failed', async () => {
    const count = async (): Promise<number> => (await tpm.run(t.GetCapability, {}, { capability: 'handles', property: 0x02000000, propertyCount: 64 })).capabilityData.data.length;
    const before = await count();
    await t.withEkSession(tpm, 'ekP256', async (session) => {
      await tpm.run(t.Create, { parentHandle: { handle: ek.objectHandle, auth: session } }, { inSensitive: { userAuth: NONE, data: NONE }, inPublic: t.templates.akP256, outsideInfo: NONE, creationPCR: [] });
      expect(session.ended).toBe(true);
    });
    await expect(t.withEkSession(tpm, 'ekP256', () => Promise.reject(new Error('mine')))).rejects.toThrow('mine');
    expect(await count()).toBe(before);
  });
});
