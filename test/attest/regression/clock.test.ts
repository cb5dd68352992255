/**
 * How a TPM's counts and clock look after everything that may happen to it, end to end: the sidecar's prover on a software TPM, judged by the verifier.
 *
 * | what happens | resetCount, restartCount, clock | tested |
 * |---|---|---|
 * | disorderly reset | +1, 0, back | here; under a running daemon in test/daemon/tpm/register |
 * | orderly reset | +1, 0, on | here |
 * | TPM Restart (hibernation) | same, +1, on; PCRs and register empty | test/daemon/tpm/register; with PCRs filled again: cves-tpm (CVE-2018-6622), S3 resume here |
 * | TPM Resume (suspend) | same, +1, on; PCRs and register kept | test/daemon/tpm/register |
 * | TPM2_Clear | 0, 0, 0; keys and indices gone | enrolled anew: test/daemon/tpm/identity; under the old record: here |
 * | kill -TERM, kill -9 | +1, 0, back to the last save | here |
 * | hung | the client waits until its own deadline | test/daemon/tpm/prover |
 * | snapshot restored with its volatile state (rollback) | all as at the snapshot, on from there | here: refused |
 * | copied state (clone) | as after a reset, twice | here: one of the two is refused |
 */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Clear, PCR_Extend, RH, ReadClock, Shutdown, connect } from '@ari-sidecar/tpm2';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Prover } from '../../../daemon/tpm/types.js';
import { type Swtpm, startSwtpm } from '../../../tpm2/test/support/swtpm.js';
import { type Bed, TestVerifier, measureFirmware, powerCycle, startBed } from '../../daemon/tpm/bed.js';
import { PCRS } from '../../support/device.js';
import { row } from './rows.js';

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

const pay = async (by: Prover = prover): Promise<string | null> => {
  const parts = verifier.parts();
  return verifier.pay(parts, await by.prove(parts));
};
const clockOf = () => bed.stranger(async (tpm) => (await tpm.run(ReadClock, {}, {})).currentTime.clockInfo);
/** The daemon of the next boot connects and pays. */
async function goesOn(): Promise<void> {
  prover = await bed.open();
  expect(await verifier.connect(prover)).toEqual([]);
  expect(await pay()).toBeNull();
}

describe('an honest machine goes on', () => {
  it('after a disorderly reset: resetCount has risen, and the clock may have fallen and be unsafe', async () => {
    await pay();
    const before = await clockOf();
    await prover.close();
    await powerCycle(bed);
    expect(await clockOf()).toMatchObject({ resetCount: before.resetCount + 1, restartCount: 0, safe: false });
    await goesOn();
  });

  it('after an orderly reset: resetCount has risen, and the clock is kept', async () => {
    await pay();
    const before = await clockOf();
    await prover.close();
    await bed.stranger((tpm) => tpm.run(Shutdown, {}, { shutdownType: 'clear' }));
    await powerCycle(bed);
    const after = await clockOf();
    expect(after).toMatchObject({ resetCount: before.resetCount + 1, restartCount: 0, safe: before.safe });
    expect(after.clock).toBeGreaterThanOrEqual(before.clock);
    await goesOn();
  });

  it.each(['SIGTERM', 'SIGKILL'])('after the TPM was ended by %s', async (signal) => {
    await pay();
    await prover.close();
    if (signal === 'SIGKILL') await bed.swtpm.kill();
    await bed.swtpm.restart();
    await measureFirmware(bed);
    await goesOn();
  });
});

describe('TPM2_Clear', () => {
  it('ends the device: what the TPM signs afterwards is not by the enrolled key, until it is enrolled anew', async () => {
    const old = verifier.known;
    await prover.close();
    await bed.stranger((tpm) => tpm.run(Clear, { authHandle: RH.LOCKOUT }, {}));
    expect(await clockOf()).toMatchObject({ resetCount: 0, restartCount: 0 });
    prover = await bed.open();
    expect(await verifier.connect(prover)).toEqual(['quote.signature']);
    expect(verifier.known).toBe(old);
    await verifier.enrol(prover);
    expect(await pay()).toBeNull();
  });
});

/** What swtpm keeps: its permanent state and, after a snapshot, the volatile one. */
const STATE = ['tpm2-00.permall', 'tpm2-00.volatilestate'] as const;
const at = (dir: string, names: readonly string[], to: string): Promise<unknown> => Promise.all(names.map((name) => cp(join(dir, name), join(to, name))));
const folder = (): Promise<string> => mkdtemp(join(tmpdir(), 'rollback-'));

describe('a machine that is set back to a snapshot, TPM and disk', () => {
  let shot: string;
  let disk: string;
  beforeEach(async () => {
    [shot, disk] = [await folder(), await folder()];
    await prover.append('agent_start', { agent_id: 'shopper' });
    expect(await pay()).toBeNull();
    await promisify(execFile)('swtpm_ioctl', ['-v', '--unix', join(bed.swtpm.dir, 's.ctrl')]);
    await at(bed.swtpm.dir, STATE, shot);
    await cp(bed.config.stateDir, disk, { recursive: true });
  });
  afterEach(() => Promise.all([shot, disk].map((dir) => rm(dir, { recursive: true }))));

  async function setBack(): Promise<Prover> {
    await prover.close();
    await bed.swtpm.kill();
    await at(shot, STATE, bed.swtpm.dir);
    await bed.swtpm.restart();
    return bed.open({ stateDir: disk });
  }
  /** A restored snapshot's clock goes on with the world's; the adversary waits until it shows more than the verifier saw. */
  async function waitPast(clock: bigint): Promise<void> {
    while ((await clockOf()).clock <= clock) await sleep(50);
  }

  it('of an earlier boot counts the present one again, with an earlier clock: clock.rewound', async () => {
    const boot = async (): Promise<void> => {
      await rm(join(bed.swtpm.dir, STATE[1]), { force: true });
      await bed.swtpm.restart();
      await measureFirmware(bed);
    };
    await prover.close();
    await boot();
    await goesOn();
    const { clock, resetCount } = await clockOf();
    await waitPast(clock + 2_500n);
    expect(await pay()).toBeNull();
    await prover.close();
    await bed.swtpm.kill();
    await at(shot, [STATE[0]], bed.swtpm.dir);
    await boot();
    expect((await clockOf()).resetCount).toBe(resetCount);
    expect(await verifier.connect(await bed.open())).toEqual(['clock.rewound']);
  });

  it('repeats the numbers of its payments when it goes on in the same boot: clock.sequence', async () => {
    await prover.close();
    prover = await bed.open();
    expect([await pay(), await pay()]).toEqual([null, null]);
    const again = await setBack();
    await waitPast(verifier.known.clock!.clock);
    expect(await verifier.connect(again, { connection: false })).toEqual([]);
    expect(await pay(again)).toBe('clock.sequence');
  });

  it('certifies an old counter when the device has connected since: ctr.not_increased', async () => {
    await prover.close();
    prover = await bed.open();
    expect(await verifier.connect(prover)).toEqual([]);
    const again = await setBack();
    await waitPast(verifier.known.clock!.clock);
    expect(await verifier.connect(again)).toEqual(['ctr.not_increased']);
  });

  it('has forgotten what was measured since: log.truncated', async () => {
    await prover.append('agent_drift', { agent_id: 'shopper', path: '/bad' });
    expect(await pay()).toBeNull();
    const again = await setBack();
    await waitPast(verifier.known.clock!.clock);
    const fresh = verifier.parts();
    const proof = await again.prove({ ...fresh, logFrom: 0 });
    expect(verifier.pay(fresh, proof)).toBe('log.truncated');
    expect(await verifier.connect(again)).toEqual(['log.truncated']);
  });
});

describe('a copy of a TPM with its keys, beside the original', () => {
  let clone: Swtpm;
  let dirs: string[];
  beforeEach(async () => {
    await prover.close();
    await bed.swtpm.stop();
    dirs = [await folder(), await folder()];
    await cp(bed.swtpm.dir, dirs[0]!, { recursive: true, filter: (file) => !/\/(?:s|s\.ctrl|relay)$/.test(file) });
    await cp(bed.config.stateDir, dirs[1]!, { recursive: true });
    await bed.swtpm.restart();
    await measureFirmware(bed);
    clone = await startSwtpm({ dir: dirs[0]! });
  });
  afterEach(async () => {
    await clone.stop();
    await Promise.all(dirs.map((dir) => rm(dir, { recursive: true })));
  });
  const fromClone = (): Promise<Prover> => bed.open({ channel: clone.spec, stateDir: dirs[1]! });
  /** What the adversary must do for his copy: the PCRs of the machine that it was. */
  const measure = async (): Promise<void> => {
    const tpm = await connect(clone.spec);
    for (const pcr of PCRS) await tpm.run(PCR_Extend, { pcrHandle: pcr }, { digests: [{ hashAlg: 'sha256', digest: Buffer.alloc(32, pcr + 1) }] });
    await tpm.close();
  };

  it('shows the boot that the original is in with another history: log.anchor, while the original pays on', async () => {
    await measure();
    await goesOn();
    await sleep(500);
    expect(await verifier.connect(await fromClone(), { connection: false })).toEqual(['log.anchor']);
    expect(await pay()).toBeNull();
  });

  it('that boots once more must show a counter that rises; when it does, the original is refused: never both', async () => {
    await goesOn();
    await clone.reset('clear');
    await measure();
    const copy = await fromClone();
    expect(await verifier.connect(copy)).toEqual(['ctr.not_increased']);
    expect(await pay()).toBeNull();
    expect(await verifier.connect(copy)).toEqual([]);
    expect(await verifier.connect(prover)).toEqual(['clock.reset_decreased']);
    expect(await pay()).toBe('clock.reset_decreased');
  });
});

row('S3 resume', 'PCRs lost in a sleep and filled again: the platform quoted before is of another boot, and a new one is asked for', async () => {
  const parts = verifier.parts();
  await bed.stranger((tpm) => tpm.run(Shutdown, {}, { shutdownType: 'state' }));
  await powerCycle(bed);
  await expect(prover.prove(parts)).rejects.toMatchObject({ code: 'tpm.reset' });
  expect(await verifier.connect(prover)).toEqual([]);
  expect(await pay()).toBeNull();
});

row('TPM reset line', 'the TPM is reset under a running system and its PCRs are filled again: the log of before is of another boot', async () => {
  await prover.append('agent_start', { agent_id: 'shopper' });
  expect(await pay()).toBeNull();
  const before = verifier.known;
  await powerCycle(bed);
  await expect(prover.prove(verifier.parts())).rejects.toMatchObject({ code: 'tpm.reset' });
  expect(await verifier.connect(prover)).toEqual([]);
  expect(verifier.known.head).toMatchObject({ resetCount: before.head!.resetCount + 1, nextN: 1 });
});
