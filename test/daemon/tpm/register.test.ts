import { readFile, truncate, writeFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { NV_DefineSpace, NV_Extend, NV_ReadPublic, NV_UndefineSpace, RC, RH, Shutdown, Startup, type Tpm, nvAttributes, registerPublic } from '@ari-sidecar/tpm2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bootAnchorContent, logEntry } from '../../../attest/log.js';
import { logEntry as entryShape } from '../../../src/objects/evidence.js';
import { stringify } from '../../../src/base/shape.js';
import type { Prover } from '../../../daemon/tpm/types.js';
import { type Bed, TestVerifier, measureFirmware, nonce, powerCycle, startBed } from './bed.js';

const LOG = 0x01d10300;
const NONE = Buffer.alloc(0);

let bed: Bed;
let verifier: TestVerifier;
let prover: Prover;
beforeEach(async () => {
  bed = await startBed();
  verifier = new TestVerifier(bed);
  prover = await bed.open();
  await verifier.enrol(prover);
  await prover.append('sidecar', { version: '1' });
  await prover.append('agent_start', { agent_id: 'shopper', exe_sha256: 'a' });
});
afterEach(() => bed.stop());

const pay = async (by: Prover = prover): Promise<string | null> => {
  const parts = verifier.parts();
  return verifier.pay(parts, await by.prove(parts));
};
const logPath = (): string => join(bed.config.stateDir, 'measurements.log');
const records = async (): Promise<number> => (await readFile(logPath(), 'utf8')).split('\n').length - 1;
const undefineRegister = (tpm: Tpm): Promise<unknown> => tpm.run(NV_UndefineSpace, { authHandle: RH.OWNER, nvIndex: LOG }, {});
const publicOf = (tpm: Tpm) => tpm.run(NV_ReadPublic, { nvIndex: LOG }, {}).then(({ nvPublic }) => nvPublic);
const redefine = async (tpm: Tpm): Promise<unknown> => {
  const nvPublic = await publicOf(tpm);
  await undefineRegister(tpm);
  return tpm.run(NV_DefineSpace, { authHandle: RH.OWNER }, { auth: NONE, publicInfo: { ...nvPublic, attributes: { ...nvPublic.attributes, written: false } } });
};

describe('a measurement', () => {
  it('is in the log before it is in the register, and the verifier follows both', async () => {
    expect(await pay()).toBeNull();
    expect(await records()).toBe(3);
    expect(verifier.known.head?.nextN).toBe(3);
  });

  it('is not repeated while nothing changed, and is when it changes back', async () => {
    await prover.append('agent_start', { agent_id: 'shopper', exe_sha256: 'a' });
    await prover.append('agent_start', { agent_id: 'other', exe_sha256: 'a' });
    await prover.append('agent_start', { agent_id: 'shopper', exe_sha256: 'a' });
    expect(await records()).toBe(4);
    await prover.append('agent_start', { agent_id: 'shopper', exe_sha256: 'b' });
    await prover.append('agent_start', { agent_id: 'shopper', exe_sha256: 'a' });
    expect(await records()).toBe(6);
    expect(await pay()).toBeNull();
  });

  it('waits for the first nonce of the verifier: no history is written beforehand', async () => {
    await prover.close();
    await powerCycle(bed);
    const early = await bed.open();
    await expect(early.append('sidecar', { version: '1' })).rejects.toMatchObject({ code: 'link.stale' });
    await early.beginEpoch(nonce());
    await early.append('sidecar', { version: '1' });
    expect(early.log(0).entries).toHaveLength(2);
  });
});

describe('the register', () => {
  it('goes on after a restart of the daemon: same epoch, nothing written', async () => {
    await prover.close();
    const again = await bed.open();
    await again.append('sidecar', { version: '1' });
    expect(await pay(again)).toBeNull();
    expect(await records()).toBe(3);
  });

  it('begins a new epoch after a TPM reset, which the verifier takes because resetCount moved', async () => {
    const before = verifier.known.head;
    await prover.close();
    await powerCycle(bed);
    const again = await bed.open();
    expect(await verifier.connect(again)).toEqual([]);
    expect(verifier.known.head).toMatchObject({ nextN: 1 });
    expect(verifier.known.head?.epoch).not.toBe(before?.epoch);
    expect(await pay(again)).toBeNull();
  });

  it('begins a new epoch after a TPM restart (hibernation): resetCount stays, restartCount moves', async () => {
    const before = verifier.known.head!;
    await prover.close();
    await bed.stranger((tpm) => tpm.run(Shutdown, {}, { shutdownType: 'state' }));
    await powerCycle(bed);
    const again = await bed.open();
    expect(await verifier.connect(again)).toEqual([]);
    expect(verifier.known.head).toMatchObject({ resetCount: before.resetCount, restartCount: before.restartCount + 1, nextN: 1 });
  });

  it('keeps its epoch over a TPM resume (suspend)', async () => {
    await verifier.connect(prover, { connection: false });
    const before = verifier.known.head!;
    await prover.close();
    await bed.stranger((tpm) => tpm.run(Shutdown, {}, { shutdownType: 'state' }));
    await bed.swtpm.reset('none');
    await bed.stranger((tpm) => tpm.run(Startup, {}, { startupType: 'state' }));
    const again = await bed.open();
    expect(await verifier.connect(again)).toEqual([]);
    expect(verifier.known.head).toMatchObject({ epoch: before.epoch, nextN: before.nextN + 1, restartCount: before.restartCount + 1 });
    await bed.stranger(undefineRegister);
    expect(await pay(again)).toBeNull();
    expect(verifier.known.head?.epoch).toBe(before.epoch);
  });

  it('is found out when the TPM is reset under a running daemon: no payment until the platform is proven anew', async () => {
    expect(await prover.platformChanged()).toBe(false);
    await powerCycle(bed);
    expect(await prover.platformChanged()).toBe(true);
    await expect(prover.prove(verifier.parts())).rejects.toMatchObject({ code: 'tpm.reset' });
    expect(prover.tier).toBe('T2');
    expect(await verifier.connect(prover, { connection: false })).toEqual([]);
    expect(await pay()).toBeNull();
    await prover.append('sidecar', { version: '1' });
    expect(await records()).toBe(2);
  });

  it.each([
    ['undefined', undefineRegister],
    ['undefined and defined again, empty', redefine],
  ])('is healed by replay when a stranger had it %s while the daemon was down, and it is reported', async (_, act) => {
    await prover.close();
    await bed.stranger(act);
    const again = await bed.open();
    expect(bed.said).toContain('register_replaced');
    expect(await verifier.connect(again)).toEqual([]);
    expect(await pay(again)).toBeNull();
    expect(await records()).toBe(3);
  });

  it.each([
    ['undefined', undefineRegister],
    ['undefined and defined again, empty', redefine],
  ])('is healed by replay when a stranger has it %s under a running daemon, within the same payment', async (_, act) => {
    await bed.stranger(act);
    expect(await pay()).toBeNull();
    expect(bed.said).toContain('register_replaced');
    await bed.stranger(act);
    await prover.append('agent_drift', { agent_id: 'shopper', exe_sha256: 'c' });
    expect(await pay()).toBeNull();
    expect(await records()).toBe(4);
  });

  it('cannot be extended by a process without the key', async () => {
    const write = (tpm: Tpm, authHandle: number): Promise<unknown> => tpm.run(NV_Extend, { authHandle, nvIndex: LOG }, { data: Buffer.alloc(32) });
    await expect(bed.stranger((tpm) => write(tpm, LOG))).rejects.toMatchObject({ base: RC.AUTH_UNAVAILABLE });
    await expect(bed.stranger((tpm) => write(tpm, RH.OWNER))).rejects.toMatchObject({ base: RC.NV_AUTHORIZATION });
    const withoutSecret = bed.stranger((tpm) => tpm.withSession({ type: 'policy' }, (session) => tpm.run(NV_Extend, { authHandle: { handle: LOG, auth: session }, nvIndex: LOG }, { data: Buffer.alloc(32) })));
    await expect(withoutSecret).rejects.toMatchObject({ base: RC.POLICY_FAIL });
    expect(await pay()).toBeNull();
  });

  it.each(['before', 'after'] as const)('is made equal to the log when the daemon ends just %s it was extended', async (moment) => {
    bed.relay[moment] = async (code) => {
      if (code === NV_Extend.code) throw new Error('killed');
    };
    await expect(prover.append('policy', { id: 'p' })).rejects.toMatchObject({ code: 'tpm.absent' });
    bed.relay[moment] = null;
    expect(await records()).toBe(4);
    const again = await bed.open();
    expect(bed.said).not.toContain('register_replaced');
    expect(await verifier.connect(again)).toEqual([]);
    expect(verifier.known.head?.nextN).toBe(4);
  });

  it('gets the records that a killed daemon had logged and not extended', async () => {
    await prover.close();
    const known = await readFile(logPath(), 'utf8');
    const next = [logEntry(3, '01d10300', { kind: 'policy', data: { id: 'p' } }), logEntry(4, '01d10300', { kind: 'agent_exit', data: { agent_id: 'shopper' } })];
    await writeFile(logPath(), known + next.map((entry) => `${stringify(entryShape, entry)}\n`).join(''));
    const again = await bed.open();
    expect(bed.said).not.toContain('register_replaced');
    expect(await verifier.connect(again)).toEqual([]);
    expect(verifier.known.head?.nextN).toBe(5);
  });

  it('is not disturbed by a last line that a killed daemon left torn', async () => {
    await prover.close();
    const { size } = await stat(logPath());
    await writeFile(logPath(), `{"recnum":3,"nv_index":"01d1`, { flag: 'a' });
    const again = await bed.open();
    expect((await stat(logPath())).size).toBe(size);
    expect(await verifier.connect(again)).toEqual([]);
    expect(await pay(again)).toBeNull();
  });

  it('does not hide a log that lost records: the verifier, which knows them, refuses', async () => {
    expect(await pay()).toBeNull();
    await prover.close();
    const text = await readFile(logPath(), 'utf8');
    await truncate(logPath(), text.lastIndexOf('\n', text.length - 2) + 1);
    const again = await bed.open();
    expect(bed.said).toContain('register_replaced');
    expect(await verifier.connect(again)).toEqual(['log.truncated']);
  });

  it('does not hide a log that was lost: a second history of one boot is refused, the next boot is not', async () => {
    await prover.close();
    await writeFile(logPath(), `${stringify(entryShape, logEntry(0, '01d10300', bootAnchorContent({ random: 'AAAAAAAAAAAAAAAAAAAAAA', resetCount: 0, restartCount: 0, nonce: nonce() }))).replace('sha256', 'sha1')}\n`);
    const again = await bed.open();
    expect(await verifier.connect(again)).toEqual(['log.anchor']);
    await again.close();
    await powerCycle(bed);
    expect(await verifier.connect(await bed.open())).toEqual([]);
  });
});

describe('a handle that is taken', () => {
  it('is passed over: the next free one is taken, and the foreign index stays as it is', async () => {
    await bed.stop();
    bed = await startBed();
    const foreign = { nvIndex: LOG, nameAlg: 'sha256' as const, attributes: nvAttributes('ordinary', 'ownerWrite', 'ownerRead'), authPolicy: NONE, dataSize: 8 };
    await bed.stranger((tpm) => tpm.run(NV_DefineSpace, { authHandle: RH.OWNER }, { auth: NONE, publicInfo: foreign }));
    verifier = new TestVerifier(bed);
    prover = await bed.open();
    await verifier.enrol(prover);
    expect(prover.log(0).entries[0]?.nvIndex).toBe('01d10301');
    expect(await bed.stranger(publicOf)).toEqual(foreign);
    expect(await pay()).toBeNull();
    await prover.close();
    const again = await bed.open();
    expect(await verifier.connect(again)).toEqual([]);
  });

  it('may hold an index that looks like ours and has another policy: it is not ours', async () => {
    await prover.close();
    await bed.stranger(undefineRegister);
    await bed.stranger((tpm) => tpm.run(NV_DefineSpace, { authHandle: RH.OWNER }, { auth: NONE, publicInfo: registerPublic(LOG, Buffer.alloc(32, 1)) }));
    const again = await bed.open();
    expect(again.tier).toBe('T2');
    expect(await verifier.connect(again)).toEqual(['register.name']);
  });
});

it('a second power cycle finds the PCRs of the firmware again', async () => {
  await prover.close();
  await bed.swtpm.restart();
  await measureFirmware(bed);
  expect(await verifier.connect(await bed.open())).toEqual([]);
});
