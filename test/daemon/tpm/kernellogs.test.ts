import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PCR_Extend, type Tpm } from '@ari-sidecar/tpm2';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IMA_START, LOG_BYTES, readImaPiece, readKernelLogs } from '../../../daemon/tpm/kernellogs.js';
import { sha256, toB64u } from '../../../src/base/bytes.js';
import { extensionOf, parseIma } from '../../../attest/ima/index.js';
import { IMA_LIST_BYTES } from '../../../src/objects/evidence.js';
import { PCRS } from '../../support/device.js';
import { VERIFIER } from '../../support/examples.js';
import { agileLog, binaryList } from '../../attest/support/logs.js';
import { startBed } from './bed.js';

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'securityfs-'));
  for (const folder of ['tpm0', 'ima']) await mkdir(join(dir, folder));
});
afterEach(() => rm(dir, { recursive: true }));

const BOOT = agileLog([{ pcr: 0, type: 8, data: Buffer.from('firmware') }]);
const LIST = binaryList([{ path: 'boot_aggregate' }, { path: '/usr/bin/node' }]);
const write = async (boot: Buffer, ima: Buffer): Promise<void> => {
  await writeFile(join(dir, 'tpm0/binary_bios_measurements'), boot);
  await writeFile(join(dir, 'ima/binary_runtime_measurements'), ima);
};

describe('the kernel’s logs', () => {
  it('are read whole, byte for byte', async () => {
    await write(BOOT, LIST);
    expect(await readKernelLogs(dir, IMA_START)).toEqual({ boot: { format: 'tcg2-binary', data: toB64u(BOOT) }, ima: { format: 'ima-binary', from: 0, data: toB64u(LIST) }, unsent: [] });
  });

  it('that are not there, or not for us, are not sent, and it is said why', async () => {
    expect(await readKernelLogs(dir, IMA_START)).toMatchObject({ boot: null, ima: null, unsent: [{ why: 'ENOENT' }, { why: 'ENOENT' }] });
    await write(BOOT, LIST);
    await rm(join(dir, 'tpm0/binary_bios_measurements'));
    await mkdir(join(dir, 'tpm0/binary_bios_measurements'));
    await chmod(join(dir, 'tpm0'), 0o700);
    expect(await readKernelLogs(dir, IMA_START)).toMatchObject({ boot: null, ima: { from: 0 }, unsent: [{ why: 'EISDIR' }] });
  });

  it('longer than evidence can carry are not sent: a part of a log proves nothing', async () => {
    await write(Buffer.alloc(LOG_BYTES), Buffer.alloc(LOG_BYTES + 1));
    const { boot, ima, unsent } = await readKernelLogs(dir, IMA_START);
    expect([boot?.data.length, ima, unsent.map(({ why }) => why)]).toEqual([LOG_BYTES * 4 / 3, null, [`more than ${LOG_BYTES} bytes`]]);
  });

  it('the IMA list is read from the byte that the verifier named, and no further back', async () => {
    await write(BOOT, LIST);
    const bytes = binaryList([{ path: 'boot_aggregate' }]).length;
    expect((await readKernelLogs(dir, { entries: 1, bytes })).ima).toEqual({ format: 'ima-binary', from: 1, data: toB64u(LIST.subarray(bytes)) });
    expect((await readKernelLogs(dir, { entries: 2, bytes: LIST.length })).ima).toEqual({ format: 'ima-binary', from: 2, data: '' });
  });

  it('an IMA list of which more is left than evidence can carry is read in pieces, until the rest fits', async () => {
    const list = Buffer.concat([LIST, Buffer.alloc(2 * LOG_BYTES, 7)]);
    await write(BOOT, list);
    expect(await readImaPiece(dir, IMA_START)).toEqual({ from: 0, data: toB64u(list.subarray(0, LOG_BYTES)) });
    expect(await readImaPiece(dir, { entries: 2, bytes: LIST.length })).toEqual({ from: 2, data: toB64u(list.subarray(LIST.length, LIST.length + LOG_BYTES)) });
    expect(await readImaPiece(dir, { entries: 9, bytes: list.length - LOG_BYTES })).toBeNull();
    expect((await readKernelLogs(dir, { entries: 9, bytes: list.length - LOG_BYTES })).ima!.from).toBe(9);
  });

  it('an IMA list longer than anyone is shown is not sent, in pieces neither: the tier is T2', async () => {
    await write(BOOT, Buffer.alloc(IMA_LIST_BYTES + 1));
    expect(await readImaPiece(dir, IMA_START)).toBeNull();
    expect((await readKernelLogs(dir, { entries: 9, bytes: IMA_LIST_BYTES - 5 })).unsent).toMatchObject([{ why: 'more than 5 bytes' }]);
    await write(BOOT, Buffer.alloc(IMA_LIST_BYTES));
    expect(await readImaPiece(dir, IMA_START)).not.toBeNull();
    expect((await readKernelLogs(dir, { entries: 9, bytes: IMA_LIST_BYTES - 5 })).ima).toMatchObject({ from: 9 });
  });

  it('the IMA list is not sent when PCR 10 is not quoted', async () => {
    await write(BOOT, LIST);
    expect(await readKernelLogs(dir, null)).toMatchObject({ ima: null, unsent: [] });
  });
});

describe('a platform part', () => {
  const beds: Awaited<ReturnType<typeof startBed>>[] = [];
  afterAll(async () => { for (const bed of beds) await bed.stop(); });

  it('carries the logs of the kernel’s TPM, and the doctor says what is missing', async () => {
    await write(BOOT, LIST);
    const bed = await startBed();
    beds.push(bed);
    await bed.stranger(async (tpm: Tpm) => {
      for (const entry of parseIma('ima-binary', LIST)) await tpm.run(PCR_Extend, { pcrHandle: 10 }, { digests: [{ hashAlg: 'sha256', digest: extensionOf(entry, 'sha256', 'own') }] });
    });
    const prover = await bed.open({ securityfs: dir });
    const request = { nonce: sha256('nonce'), aud: VERIFIER, connection: true, ima: IMA_START };
    expect(await prover.platform({ ...request, pcrs: [...PCRS, 10] })).toMatchObject({ boot: { data: toB64u(BOOT) }, ima: { from: 0, data: toB64u(LIST) } });
    expect(await prover.platform({ ...request, pcrs: PCRS })).toMatchObject({ ima: null });
    await rm(join(dir, 'ima/binary_runtime_measurements'));
    expect((await prover.doctor()).filter(({ name }) => /_log$|_list$/.test(name)).map(({ name, ok, detail }) => [name, ok, detail])).toEqual([['boot_log', true, 'readable'], ['ima_list', false, 'ENOENT']]);
  });

  it('of another TPM than the kernel’s carries none: they would not be its logs', async () => {
    const bed = await startBed();
    beds.push(bed);
    const prover = await bed.open();
    expect(await prover.platform({ nonce: sha256('nonce'), aud: VERIFIER, connection: true, pcrs: PCRS, ima: IMA_START })).toMatchObject({ boot: null, ima: null });
  });
});
