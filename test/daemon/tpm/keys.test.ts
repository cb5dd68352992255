import { cp, readFile, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Clear, EK_CERTIFICATE_INDEX, Load, NV_UndefineSpace, Public, RH, TpmError, Unseal, createEk, decode, withEkSession } from '@ari-sidecar/tpm2';
import { createHash, createPublicKey, verify } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { fromB64u } from '../../../src/base/bytes.js';
import type { Signer } from '../../../src/base/jws.js';
import { type Bed, startBed } from './bed.js';

let bed: Bed;
beforeEach(async () => { bed = await startBed(); });
afterEach(() => bed.stop());

interface KeyFile { agent_id: string; sealed: { public: string; private: string } | null; plain: string | null }
const data = Buffer.from('a closed mandate');
const signs = (signer: Signer): boolean => verify('sha256', data, { key: createPublicKey({ key: signer.jwk, format: 'jwk' }), dsaEncoding: 'ieee-p1363' }, signer.sign(data));
const keyFiles = async (): Promise<string[]> => (await readdir(bed.config.stateDir)).filter((file) => file.startsWith('agent-'));
const keyFile = async (): Promise<KeyFile> => JSON.parse(await readFile(join(bed.config.stateDir, (await keyFiles())[0]!), 'utf8')) as KeyFile;
const nowhere = (): { channel: string } => ({ channel: `swtpm:unix:${bed.swtpm.dir}/nowhere` });

describe('a payment key', () => {
  it('signs, is one per agent, and is the same after a restart', async () => {
    const prover = await bed.open();
    const key = await prover.agentKey('shopper');
    expect(signs(key)).toBe(true);
    expect((await prover.agentKey('other')).kid).not.toBe(key.kid);
    expect(await prover.agentKey('shopper')).toBe(key);
    await prover.close();
    const again = await (await bed.open()).agentKey('shopper');
    expect(again.jwk).toEqual(key.jwk);
    expect(signs(again)).toBe(true);
  });

  it('is sealed at rest: its file holds no private number', async () => {
    await (await bed.open()).agentKey('shopper');
    expect(await keyFile()).toMatchObject({ agent_id: 'shopper', plain: null, sealed: { private: expect.any(String) } });
  });

  it('is named after no path: an agent cannot choose where it lies', async () => {
    await (await bed.open()).agentKey('x/../../../escape');
    const name = createHash('sha256').update('x/../../../escape').digest('base64url');
    expect(await keyFiles()).toEqual([`agent-${name}.json`]);
  });

  it('opens for nobody who lacks the attestation key, though he has the file and the TPM', async () => {
    await (await bed.open()).agentKey('shopper');
    const { sealed } = await keyFile();
    const opened = bed.stranger((tpm) => tpm.withObject(createEk(tpm, 'ekP256'), (ek) => {
      const params = { inPrivate: fromB64u(sealed!.private)!, inPublic: decode(Public, fromB64u(sealed!.public)!) };
      const loaded = withEkSession(tpm, 'ekP256', (auth) => tpm.run(Load, { parentHandle: { handle: ek.objectHandle, auth } }, params));
      return tpm.withObject(loaded, async ({ objectHandle }) => {
        const tries = [
          tpm.run(Unseal, { itemHandle: objectHandle }, {}),
          tpm.withSession({ type: 'policy' }, (auth) => tpm.run(Unseal, { itemHandle: { handle: objectHandle, auth } }, {})),
        ];
        return Promise.allSettled(tries);
      });
    }));
    for (const attempt of await opened) expect(attempt).toMatchObject({ status: 'rejected', reason: expect.any(TpmError) });
  });

  it('opens in no other TPM: a stolen disk gets a new key, and mandates name the old one', async () => {
    const key = await (await bed.open()).agentKey('shopper');
    const thief = await startBed({ ecCertificate: false });
    try {
      await cp(bed.config.stateDir, thief.config.stateDir, { recursive: true });
      const stolen = await (await thief.open()).agentKey('shopper');
      expect(stolen.kid).not.toBe(key.kid);
      expect(thief.said).toContain('key_lost');
    } finally {
      await thief.stop();
    }
  });

  it('is a file of its owner alone where there is no TPM, and is sealed when there is one', async () => {
    const without = await (await bed.open(nowhere())).agentKey('shopper');
    expect(signs(without)).toBe(true);
    expect(await keyFile()).toMatchObject({ plain: expect.any(String), sealed: null });
    expect((await stat(join(bed.config.stateDir, (await keyFiles())[0]!))).mode & 0o777).toBe(0o600);
    const sealed = await (await bed.open()).agentKey('shopper');
    expect(sealed.jwk).toEqual(without.jwk);
    expect(await keyFile()).toMatchObject({ plain: null, sealed: expect.anything() });
  });

  it.each(['ekP256', 'ekRsa2048'] as const)('crosses the bus in no direction, neither when it is sealed nor when it is opened (%s)', async (kind) => {
    if (kind === 'ekRsa2048') await bed.stranger((tpm) => tpm.run(NV_UndefineSpace, { authHandle: RH.PLATFORM, nvIndex: EK_CERTIFICATE_INDEX.ekP256 }, {}));
    const { jwk } = await (await bed.open(nowhere())).agentKey('shopper');
    const secret = fromB64u((await keyFile()).plain!)!;
    const heard: Buffer[] = [];
    bed.relay.overhear = (bytes) => heard.push(Buffer.from(bytes));
    expect((await (await bed.open()).agentKey('shopper')).jwk).toEqual(jwk);
    const unsealed = (): number => heard.filter((bytes) => bytes.readUInt32BE(6) === Unseal.code).length;
    expect(unsealed()).toBe(0);
    expect((await (await bed.open()).agentKey('shopper')).jwk).toEqual(jwk);
    expect(unsealed()).toBe(1);
    expect(heard.filter((bytes) => bytes.includes(secret))).toEqual([]);
  });

  it('is known and does not sign while the TPM that sealed it is away', async () => {
    const prover = await bed.open();
    const key = await prover.agentKey('shopper');
    await prover.close();
    const locked = await (await bed.open(nowhere())).agentKey('shopper');
    expect(locked).toMatchObject({ kid: key.kid, jwk: key.jwk });
    expect(() => locked.sign(data)).toThrow(expect.objectContaining({ code: 'tpm.absent' }));
  });

  it('ends with TPM2_Clear, as the attestation key does', async () => {
    const prover = await bed.open();
    const key = await prover.agentKey('shopper');
    await bed.stranger((tpm) => tpm.run(Clear, { authHandle: RH.LOCKOUT }, {}));
    await expect(prover.append('sidecar', {})).rejects.toBeDefined();
    await expect(prover.beginEpoch('A'.repeat(43))).rejects.toMatchObject({ code: 'tpm.refused' });
    await prover.recover();
    expect((await prover.agentKey('shopper')).kid).not.toBe(key.kid);
    expect(bed.said).toContain('key_lost');
  });
});
