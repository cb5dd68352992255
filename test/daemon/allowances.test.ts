import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Allowances } from '../../daemon/pay/allowances.js';
import { OFFLINE_ALLOWANCE } from '../../src/objects/allowance.js';
import { CARRIER } from '../../src/objects/carrier.js';
import { POLICY } from '../../src/objects/decision.js';
import { DEVICE_RECORD } from '../../src/objects/device.js';
import { seal } from '../../src/objects/signed.js';
import { silentLog } from './support/api.js';
import { whileFull } from '../support/disk.js';
import { carrier, device, log, mandateToken, offline, policy } from '../support/examples.js';
import { keys, SIGNERS } from '../support/keys.js';

const papers = {
  allowance: seal(OFFLINE_ALLOWANCE, offline, SIGNERS.carrier), mandate: mandateToken, carrier: seal(CARRIER, carrier, SIGNERS.carrier), userKeys: [],
  policy: seal(POLICY, policy, SIGNERS.operator), device: seal(DEVICE_RECORD, device, SIGNERS.verifier), epoch: log.epoch, logFrom: 1,
};
let dir: string;
let path: string;
const opened = (): Promise<Allowances> => Allowances.open(path, { keys, owner: () => undefined, logs: [] }, silentLog);
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'allowances-'));
  path = join(dir, 'offline.json');
});
afterEach(() => rm(dir, { recursive: true }));

it('an allowance is there again after a restart', async () => {
  await (await opened()).put(papers);
  expect((await opened()).all()).toHaveLength(1);
});

it('one that was dropped while the disk was full is not there again after a restart, nor kept until then', async () => {
  const allowances = await opened();
  await allowances.put(papers);
  await whileFull(0, () => expect(allowances.keepOnly(new Set(['another']))).rejects.toThrow());
  expect(allowances.all()).toEqual([]);
  await allowances.keepOnly(new Set());
  expect((await opened()).all()).toEqual([]);
});

it('one that was dropped while there were others is dropped from the file with them, where the disk takes nothing', async () => {
  const allowances = await opened();
  await allowances.put(papers);
  await whileFull(0, () => expect(allowances.put({ ...papers, logFrom: 2 })).rejects.toThrow());
  expect(existsSync(path)).toBe(false);
  expect(allowances.all()).toMatchObject([{ logFrom: 2 }]);
});
