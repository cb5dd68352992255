import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { TestPayer } from './support/payer.js';

let payer: TestPayer;
beforeAll(async () => { payer = await TestPayer.start(); });
afterAll(() => payer.stop());

/** The maker of the software TPM, by number, from one firmware to another. */
const blockFirmware = async (from: string, below: string): Promise<void> => {
  const file = join(payer.service.dir, 'blocked.json');
  writeFileSync(file, JSON.stringify({ rows: [{ id: 'CVE-0000-0001', reason: 'gives its keys away', reference: '', manufacturer: '1014', models: null, ek: null, firmware: [{ from, below }] }] }));
  Object.assign(payer.service.config.trust, { blockListFile: file });
  await payer.service.restart();
};

it('a TPM on the block list does not enrol, although its certificate chains and its quote holds', async () => {
  await blockFirmware('0', '65535');
  await payer.beginLog(await payer.greet());
  expect(await payer.link.answerTo('enrol_proof', await payer.proof(await payer.challenge(await payer.code())))).toBe('enrol.tpm_blocked');
  const store = await payer.service.store();
  expect(await store.deviceByAk(payer.device.akName.toString('hex'))).toBeNull();
  await store.close();
  payer.link.close();
  await blockFirmware('0', '1');
  expect((await payer.enrol()).deviceId).toMatch(/^dev_/);
});
