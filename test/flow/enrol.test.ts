/** A device's life with its verifier, with real processes: enrolled, enrolled again, cleared, copied to another TPM, and in a cloud. */
import { appendFile, mkdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Clear, EK_CERTIFICATE_INDEX, NV_UndefineSpace, RH, type Tpm, connect } from '@ari-sidecar/tpm2';
import { startSwtpm } from '@ari-sidecar/tpm2/swtpm';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { StatusView } from '../../src/agentapi.js';
import { enrolCode } from '../../cli/actions.js';
import { bootFirmware } from '../../cli/demo/firmware.js';
import { ari } from '../../cli/demo/processes.js';
import { Stage } from '../../cli/demo/stage.js';
import { Cloud } from '../support/cloud.js';

let stage: Stage;
let deviceId: string;
const ends: (() => Promise<void>)[] = [];
const codeFile = (): string => join(stage.dir, 'state', 'enrol-code');
const code = (reEnrol: boolean): Promise<string> => enrolCode(stage.api, stage.user.userId, reEnrol);

/** Waits until the sidecar's status is as it should be. */
async function until(check: (status: StatusView) => boolean): Promise<StatusView> {
  for (const end = Date.now() + 30_000; ; await sleep(50)) {
    const status = await stage.status().catch(() => null);
    if (status && check(status)) return status;
    if (Date.now() > end) throw new Error(`the status stays ${JSON.stringify(status)}\n${stage.sidecar.log}`);
  }
}
const connected = (): Promise<StatusView> => until(({ verifier }) => verifier.connected);
const refused = (why: RegExp): Promise<StatusView> => until(({ verifier, reason }) => !verifier.connected && why.test(reason ?? ''));

/** The sidecar anew, with what lies in its state folder and, if there is one, with a code. */
async function restart(withCode: string | null): Promise<void> {
  await stage.sidecar.stop();
  if (withCode !== null) await writeFile(codeFile(), withCode, { mode: 0o600 });
  stage.sidecar = ari('sidecar', 'daemon', '-c', stage.sidecarConfig);
}

/** What another program does with the TPM while no sidecar runs. */
async function withTpm(act: (tpm: Tpm) => Promise<unknown>): Promise<void> {
  const tpm = await connect(stage.tpm.spec);
  await act(tpm).finally(() => tpm.close());
}

async function open(prepare: () => Promise<void>): Promise<void> {
  stage = await Stage.open();
  await stage.startTpm();
  await prepare();
  await stage.startVerifier();
  await stage.createUser();
  deviceId = (await stage.startSidecar()).deviceId!;
}
const close = async (): Promise<void> => { for (const end of [() => stage.close(), ...ends.splice(0)]) await end(); };

const pay = async (key: string): Promise<unknown> => {
  const { body } = await stage.order({ key, amount: 100 });
  return body['state'] ?? body['code'];
};
const forgotten = (file: string): Promise<boolean> => stat(file).then(() => false, () => true);

describe('a device', () => {
  beforeAll(async () => {
    await open(() => Promise.resolve());
    await stage.openCarrier();
    await stage.signMandate({ level: 'L4', maxPayments: null });
    stage.startAgent();
  }, 60_000);
  afterAll(close);

  it('enrols again with the consent of its user: the same device, the same key, the same mandates', async () => {
    expect(await pay('first')).toBe('settled');
    await restart(await code(true));
    expect((await connected()).deviceId).toBe(deviceId);
    await until(({ agents }) => agents.every(({ mandates }) => mandates === 1));
    expect(await forgotten(codeFile())).toBe(true);
    expect(await pay('again')).toBe('settled');
  }, 60_000);

  it('goes on with a code that is used up, of which the answer was lost, or that is for a new device only, and forgets it', async () => {
    for (const useless of ['used up long ago', await code(false)]) {
      await restart(useless);
      expect((await connected()).deviceId).toBe(deviceId);
      expect(await forgotten(codeFile())).toBe(true);
    }
    expect(await pay('still')).toBe('settled');
  }, 60_000);

  it('whose TPM was cleared is unknown, enrols with consent only, and is the same device with another key; the user signs new mandates', async () => {
    const before = (await stage.status()).agents[0]!.jwk;
    await stage.sidecar.stop();
    await withTpm((tpm) => tpm.run(Clear, { authHandle: RH.LOCKOUT }, {}));
    await restart(null);
    await refused(/not enrolled/);
    await restart(await code(false));
    await refused(/enrolled already and the user has not agreed/);
    await restart(await code(true));
    const status = await connected();
    expect(status).toMatchObject({ deviceId, tier: 'T2' });
    expect(status.agents[0]!.jwk).not.toEqual(before);
    expect(status.agents[0]!.mandates).toBe(0);
    expect(await pay('old-mandate')).toBe('mandate.unknown');
    await stage.signMandate({ level: 'L4', maxPayments: null });
    expect(await pay('new-mandate')).toBe('settled');
  }, 60_000);

  it('is not what another TPM becomes that has its state folder: that is unknown, and with a code another device', async () => {
    await mkdir(join(stage.dir, 'thief'));
    const thief = await startSwtpm({ dir: join(stage.dir, 'thief'), ca: join(stage.dir, 'tpm', 'ca'), ecCertificate: true });
    ends.push(() => thief.stop());
    await bootFirmware(thief.spec);
    await writeFile(stage.sidecarConfig, (await readFile(stage.sidecarConfig, 'utf8')).replace(stage.tpm.spec, thief.spec));
    await restart(null);
    await refused(/not enrolled/);
    await restart(await code(true));
    const status = await connected();
    expect(status.deviceId).not.toBe(deviceId);
    expect(status.agents[0]!.mandates).toBe(0);
    expect(await pay('stolen-folder')).toMatch(/^mandate\./);
  }, 60_000);
});

describe('a virtual machine of a cloud', () => {
  afterEach(close);

  it("is at T1 until the provider's key is named; then its user lets it enrol again, and it is the same device at T2", async () => {
    const cloud = await Cloud.start();
    await open(async () => {
      await appendFile(join(stage.dir, 'test-root.pem'), cloud.rootPem);
      await withTpm(async (tpm) => {
        for (const nvIndex of Object.values(EK_CERTIFICATE_INDEX)) await tpm.run(NV_UndefineSpace, { authHandle: RH.PLATFORM, nvIndex }, {});
        await cloud.provisionAzure(tpm);
      });
    });
    expect(await stage.status()).toMatchObject({ tier: 'T1', reason: 'the TPM holds no endorsement certificate' });
    await appendFile(stage.sidecarConfig, '\n[tpm.provider]\nkey = 0x81000003\ncertificate = 0x01c101d0\n');
    await restart(await code(true));
    expect(await connected()).toMatchObject({ tier: 'T2', deviceId, reason: null });
    const device = await stage.api.get(`/v1/trust/devices/${deviceId}`) as { record: string; simulated: boolean };
    expect(device.simulated).toBe(true);
    expect(JSON.parse(Buffer.from(device.record.split('.')[1]!, 'base64url').toString())).toMatchObject({ ek_root: 'CN=Cloud vTPM root', simulated: true, tier_max: 'T3' });
  }, 60_000);
});
