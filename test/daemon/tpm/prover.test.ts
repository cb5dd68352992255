import { readFile } from 'node:fs/promises';
import net from 'node:net';
import { join } from 'node:path';
import {
  CreatePrimary, DictionaryAttackParameters, NV_Certify, NV_DefineSpace, NV_Read, NV_UndefineSpace, PCR_Extend, Quote, RC, RH, nvAttributes, password, templates,
} from '@ari-sidecar/tpm2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SEQUENCE_BLOCK } from '../../../daemon/tpm/sequence.js';
import { openProver } from '../../../daemon/tpm/prover.js';
import type { Prover } from '../../../daemon/tpm/types.js';
import { VERIFIER } from '../../support/examples.js';
import { PCRS } from '../../support/device.js';
import { type Bed, TestVerifier, nonce, startBed } from './bed.js';

let bed: Bed;
let verifier: TestVerifier;
let prover: Prover;
beforeEach(async () => {
  bed = await startBed();
  verifier = new TestVerifier(bed);
  prover = await bed.open();
  await verifier.enrol(prover);
});
afterEach(() => bed.stop());

const count = (code: number): number => bed.relay.counts.get(code) ?? 0;

describe('payments', () => {
  it('cost one signature each when they come alone, and nothing but the signature', async () => {
    await prover.prove(verifier.parts());
    const before = new Map(bed.relay.counts);
    await prover.prove(verifier.parts());
    const cost = [...bed.relay.counts].flatMap(([code, n]) => (n > (before.get(code) ?? 0) ? [[code, n - (before.get(code) ?? 0)]] : []));
    expect(cost).toEqual([[NV_Certify.code, 1]]);
  });

  it('that come while the TPM is busy share the next signature, and each is appraised', async () => {
    bed.relay.delays.set(NV_Certify.code, 40);
    const before = count(NV_Certify.code);
    const all = Array.from({ length: 20 }, (_, i) => verifier.parts(`payment ${i}`));
    const proofs = await Promise.all(all.map((parts) => prover.prove(parts)));
    expect(count(NV_Certify.code) - before).toBe(2);
    expect(proofs.map(({ batch }) => batch.size)).toEqual([1, ...Array<number>(19).fill(19)]);
    expect(all.map((parts, i) => verifier.pay(parts, proofs[i]!))).toEqual(Array(20).fill(null));
  });

  it('of one signature cannot be exchanged for one another', async () => {
    const all = ['a', 'b', 'c'].map((payment) => verifier.parts(payment));
    const proofs = await Promise.all(all.map((parts) => prover.prove(parts)));
    expect(verifier.pay(all[1]!, { ...proofs[1]!, batch: proofs[2]!.batch })).not.toBeNull();
    expect(verifier.pay(all[1]!, proofs[2]!)).toBe('binding.mismatch');
  });

  it('have rising numbers that never repeat, also after a kill', async () => {
    const seen = [await prover.prove(verifier.parts()), await prover.prove(verifier.parts())].map(({ binding }) => binding.seq);
    const restarted = await openProver({ ...bed.config, stateDir: bed.config.stateDir }, bed.log);
    const next = (await restarted.prove(verifier.parts())).binding.seq;
    await restarted.close();
    expect(seen[1]).toBe(seen[0]! + 1);
    expect(next).toBeGreaterThan(seen[1]!);
    expect(next - seen[0]!).toBeLessThanOrEqual(2 * SEQUENCE_BLOCK);
    const { reserved } = JSON.parse(await readFile(join(bed.config.stateDir, 'sequence.json'), 'utf8')) as { reserved: number };
    expect(reserved).toBeGreaterThan(next);
  });
});

describe('the platform', () => {
  it('is quoted with the register, and at connection with the counter, one higher each time', async () => {
    const refresh = await prover.platform({ nonce: nonce(), aud: VERIFIER, pcrs: PCRS, connection: false, ima: null });
    expect(refresh.counter).toBeNull();
    const before = verifier.known.clock!.ctr!;
    expect(await verifier.connect(prover)).toEqual([]);
    expect(verifier.known.clock!.ctr).toBe(before + 1n);
  });

  it('gets its counter again when a stranger undefined it: under the same Name, above its old value', async () => {
    const before = verifier.known.clock!.ctr!;
    await bed.stranger((tpm) => tpm.run(NV_UndefineSpace, { authHandle: RH.OWNER, nvIndex: bed.config.counterIndex }, {}));
    await expect(verifier.connect(prover)).rejects.toMatchObject({ code: 'tpm.refused' });
    expect(await prover.recover()).toBe(true);
    expect(await verifier.connect(prover)).toEqual([]);
    expect(verifier.known.clock!.ctr).toBeGreaterThan(before);
  });

  it('has changed when a selected PCR was extended, and not when PCR 10 or another was', async () => {
    const pcrs = [...PCRS, 10];
    await prover.platform({ nonce: nonce(), aud: VERIFIER, pcrs, connection: false, ima: null });
    const extend = (pcrHandle: number): Promise<unknown> => bed.stranger((tpm) => tpm.run(PCR_Extend, { pcrHandle }, { digests: [{ hashAlg: 'sha256', digest: Buffer.alloc(32, 9) }] }));
    expect(await prover.platformChanged()).toBe(false);
    await extend(10);
    await extend(16);
    await extend(12);
    expect(await prover.platformChanged()).toBe(false);
    await extend(7);
    expect(await prover.platformChanged()).toBe(true);
    await prover.platform({ nonce: nonce(), aud: VERIFIER, pcrs, connection: false, ima: null });
    expect(await prover.platformChanged()).toBe(false);
  });

  it('is quoted in one piece with more PCRs than a TPM reads at once, though one moves meanwhile', async () => {
    const pcrs = Array.from({ length: 24 }, (_, pcr) => pcr);
    let quotes = 0;
    bed.relay.before = async (code) => {
      if (code === Quote.code && quotes++ === 0) await bed.relay.intrude((tpm) => tpm.run(PCR_Extend, { pcrHandle: 23 }, { digests: [{ hashAlg: 'sha256', digest: Buffer.alloc(32, 1) }] }));
    };
    const { quote } = await prover.platform({ nonce: nonce(), aud: VERIFIER, pcrs, connection: false, ima: null });
    expect(Object.keys(quote.pcrs)).toHaveLength(24);
    expect(quotes).toBe(2);
  });
});

describe('trouble with the TPM', () => {
  it('that hangs is tpm.hung and tier T0; when it answers again it is found again, and payments go on', async () => {
    bed.swtpm.pause();
    await expect(prover.prove(verifier.parts())).rejects.toMatchObject({ code: 'tpm.hung' });
    expect(prover).toMatchObject({ tier: 'T0', fault: 'tpm.hung', akName: null, reason: expect.stringMatching(/^tpm\.hung: /) });
    await expect(prover.prove(verifier.parts())).rejects.toMatchObject({ code: 'tpm.hung' });
    expect(() => prover.log(0)).toThrow(expect.objectContaining({ code: 'tpm.hung' }));
    bed.swtpm.resume();
    expect(await prover.recover()).toBe(true);
    expect(await prover.recover()).toBe(false);
    expect(await verifier.connect(prover)).toEqual([]);
    const parts = verifier.parts();
    expect(verifier.pay(parts, await prover.prove(parts))).toBeNull();
  });

  it('that dies fails every payment in flight by name, and none is half made', async () => {
    bed.relay.delays.set(NV_Certify.code, 50);
    const all = [1, 2, 3].map(() => prover.prove(verifier.parts()));
    await bed.swtpm.kill();
    const ends = await Promise.allSettled(all);
    expect(ends.map(({ status }) => status)).toEqual(Array(3).fill('rejected'));
    for (const end of ends) expect(end).toMatchObject({ reason: { code: expect.stringMatching(/^tpm\./) } });
    expect(prover.tier).toBe('T0');
  });

  it('in dictionary-attack lockout still signs: the key takes no part in it', async () => {
    await lockOut();
    const parts = verifier.parts();
    expect(verifier.pay(parts, await prover.prove(parts))).toBeNull();
    await prover.append('agent_start', { agent_id: 'shopper' });
    expect(await verifier.connect(prover)).toEqual([]);
    await prover.close();
    expect((await bed.open()).tier).toBe('T2');
  });

  /** Three wrong guesses at an index that takes part in the protection. */
  async function lockOut(): Promise<void> {
    await bed.stranger(async (tpm) => {
      await tpm.run(DictionaryAttackParameters, { lockHandle: RH.LOCKOUT }, { newMaxTries: 3, newRecoveryTime: 1000, lockoutRecovery: 1000 });
      const nvIndex = 0x01800000;
      const attributes = nvAttributes('ordinary', 'authWrite', 'authRead');
      const publicInfo = { nvIndex, nameAlg: 'sha256' as const, attributes, authPolicy: Buffer.alloc(0), dataSize: 1 };
      await tpm.run(NV_DefineSpace, { authHandle: RH.OWNER }, { auth: Buffer.from('right'), publicInfo });
      const read = (): Promise<unknown> => tpm.run(NV_Read, { authHandle: { handle: nvIndex, auth: password('wrong') }, nvIndex }, { size: 1, offset: 0 });
      for (let guess = 0; guess < 3; guess++) await expect(read()).rejects.toMatchObject({ base: RC.AUTH_FAIL });
      await expect(read()).rejects.toMatchObject({ base: RC.LOCKOUT });
    });
  }

  it('that was left full by killed processes is swept at start', async () => {
    await prover.close();
    await bed.stranger(async (tpm) => {
      for (let i = 0; i < 3; i++) await tpm.run(CreatePrimary, { primaryHandle: RH.OWNER }, { inSensitive: { userAuth: Buffer.alloc(0), data: Buffer.alloc(0) }, inPublic: templates.srkP256, outsideInfo: Buffer.alloc(0), creationPCR: [] });
    });
    expect((await bed.open()).tier).toBe('T2');
  });

  it('that is not there is tpm.absent: the process lives, and the doctor says what to do', async () => {
    const none = await bed.open({ channel: `swtpm:unix:${bed.swtpm.dir}/nowhere` });
    expect(none).toMatchObject({ tier: 'T0', fault: 'tpm.absent' });
    expect(await none.doctor()).toEqual([{ name: 'tpm', ok: false, detail: none.reason, fix: expect.any(String) }]);
    await expect(none.platform({ nonce: nonce(), aud: VERIFIER, pcrs: PCRS, connection: true, ima: null })).rejects.toMatchObject({ code: 'tpm.absent' });
    expect(() => none.enrolBegin('code')).toThrow(expect.objectContaining({ code: 'tpm.absent' }));
    expect(await none.recover()).toBe(false);
  });

  it.each([
    ['text', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['zeros', '\0'.repeat(64)],
    ['a success with nothing in it', Buffer.from('80010000000a00000000', 'hex')],
    ['an endless size', Buffer.from('8001ffffffff00000000', 'hex')],
  ])('that answers %s is tpm.garbage: tier T0, and the process lives', async (_, junk) => {
    const path = join(bed.swtpm.dir, 'junk');
    const server = net.createServer((socket) => { socket.on('error', () => undefined).on('data', () => socket.write(junk)); });
    await new Promise<void>((done) => server.listen(path, done));
    try {
      expect(await bed.open({ channel: `swtpm:unix:${path}` })).toMatchObject({ tier: 'T0', fault: 'tpm.garbage' });
    } finally {
      server.close();
    }
  });

  it('is told by the doctor of a healthy one as facts, all good', async () => {
    const facts = await prover.doctor();
    expect(facts.map(({ name }) => name)).toEqual(['tpm', 'ek_certificate', 'attestation_key', 'register', 'counter', 'log']);
    expect(facts.every(({ ok }) => ok)).toBe(true);
  });
});
