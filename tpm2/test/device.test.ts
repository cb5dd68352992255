import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as t from '../src/index.js';
import { openPty } from './support/pty.js';
import { startSwtpm, type Swtpm } from './support/swtpm.js';

let swtpm: Swtpm;
let pty: Awaited<ReturnType<typeof openPty>>;
beforeAll(async () => {
  swtpm = await startSwtpm();
  pty = await openPty(swtpm.spec);
});
afterAll(async () => {
  pty?.close();
  await swtpm.stop();
});

const random = (tpm: t.Tpm, deadline = 5000): Promise<{ randomBytes: Buffer }> => tpm.run(t.GetRandom, {}, { bytesRequested: 16 }, { deadline });

describe('the channel of a device', () => {
  it('carries commands, large and small, without stopping the event loop', async ({ skip }) => {
    if (pty === null) return skip();
    const tpm = await t.connect(pty.device);
    let ticks = 0;
    const clock = setInterval(() => ticks++, 1);
    const key = await tpm.run(t.CreatePrimary, { primaryHandle: t.RH.ENDORSEMENT }, { inSensitive: { userAuth: Buffer.alloc(0), data: Buffer.alloc(0) }, inPublic: t.templates.ekRsa2048, outsideInfo: Buffer.alloc(0), creationPCR: [] });
    await tpm.flush(key.objectHandle);
    for (let i = 0; i < 50; i++) expect((await random(tpm)).randomBytes).toHaveLength(16);
    clearInterval(clock);
    expect(ticks).toBeGreaterThan(2);
    await tpm.close();
    await expect(random(tpm)).rejects.toMatchObject({ code: 'closed' });
  });

  it('is shared: nothing is swept there, and after a loss nothing counts as ours', async ({ skip }) => {
    if (pty === null) return skip();
    const channel = await t.openChannel(pty.device);
    expect(channel).toMatchObject({ shared: true, sweepable: false });
    expect(await new t.Tpm(channel).sweep()).toBe(0);
    await channel.close();
  });

  it('gives up a hung TPM at the deadline, opens the device anew, and takes no late answer for another', async ({ skip }) => {
    if (pty === null) return skip();
    const tpm = await t.connect(pty.device);
    swtpm.pause();
    await expect(random(tpm, 60)).rejects.toMatchObject({ code: 'hung' });
    await expect(random(tpm, 60)).rejects.toMatchObject({ code: 'hung' }); // still blocked in the kernel: no second file is opened
    setTimeout(() => swtpm.resume(), 30);
    const { currentTime } = await tpm.run(t.ReadClock, {}, {});
    expect(currentTime.clockInfo.clock).toBeGreaterThan(0n);
    expect((await random(tpm)).randomBytes).toHaveLength(16);
    await tpm.close();
  });
});
