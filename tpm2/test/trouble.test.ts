import { fork } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import * as t from '../src/index.js';
import { exchange, startSwtpm, type Swtpm } from './support/swtpm.js';
import { Tapped } from './support/tapped.js';

const NONE = Buffer.alloc(0);
const plain = { inSensitive: { userAuth: NONE, data: NONE }, outsideInfo: NONE, creationPCR: [] };
const random = (tpm: t.Tpm, deadline?: number): Promise<{ randomBytes: Buffer }> => tpm.run(t.GetRandom, {}, { bytesRequested: 8 }, deadline === undefined ? {} : { deadline });
const primary = (tpm: t.Tpm): Promise<{ objectHandle: number; name: Buffer }> => tpm.run(t.CreatePrimary, { primaryHandle: t.RH.OWNER }, { ...plain, inPublic: t.templates.akP256 });
const listed = async (tpm: t.Tpm, property: number): Promise<number[]> => (await tpm.run(t.GetCapability, {}, { capability: 'handles', property, propertyCount: 64 })).capabilityData.data as number[];

let swtpm: Swtpm;
let dir: string;
beforeAll(async () => {
  [swtpm, dir] = await Promise.all([startSwtpm(), mkdtemp(join(tmpdir(), 'tpm2-'))]);
});
afterAll(async () => {
  await swtpm.stop();
  await rm(dir, { recursive: true, force: true });
});
async function connected<T>(use: (tpm: t.Tpm) => Promise<T>, spec = swtpm.spec): Promise<T> {
  const tpm = await t.connect(spec);
  try { return await use(tpm); } finally { await tpm.close(); }
}

describe('a TPM that is not there', () => {
  it.each([
    ['device:/dev/tpmrm-none', 'absent'], ['swtpm:unix:/nowhere/s', 'absent'], ['swtpm:tcp:127.0.0.1:1', 'absent'],
  ])('%s is %s', async (spec, code) => {
    await expect(t.connect(spec)).rejects.toMatchObject({ name: 'ChannelError', code });
  });
  it.each(['tpm', 'device:', 'swtpm:unix:', 'swtpm:tcp:host', 'swtpm:tcp:host:0', 'swtpm:tcp:host:99999', 'http://x'])('%s is no name of one', async (spec) => {
    await expect(t.connect(spec)).rejects.toThrow(TypeError);
  });
  it('a file that is no TPM answers garbage or nothing', async () => {
    const file = join(dir, 'file');
    await writeFile(file, '');
    const tpm = new t.Tpm(await t.openChannel(`device:${file}`));
    await expect(random(tpm)).rejects.toMatchObject({ code: 'garbage' });
    await tpm.close();
    await expect(random(tpm)).rejects.toMatchObject({ code: 'closed' });
  });
});

describe('a hung TPM', () => {
  it('is a deadline error; the queue goes on, and after the TPM comes back everything works', async () => {
    await connected(async (tpm) => {
      swtpm.pause();
      const first = random(tpm, 100);
      const waiting = random(tpm, 20);
      const later = random(tpm, 5000);
      await expect(waiting).rejects.toMatchObject({ code: 'busy' });
      await expect(first).rejects.toMatchObject({ code: 'hung' });
      setTimeout(() => swtpm.resume(), 50);
      expect((await later).randomBytes).toHaveLength(8); // a late answer to the first is not taken for this one's
      expect((await random(tpm)).randomBytes).toHaveLength(8);
    });
  });

  it('leaves no object behind: what it made after we gave up is swept, what is ours stays', async () => {
    await connected(async (tpm) => {
      const ours = await primary(tpm);
      swtpm.pause();
      await expect(tpm.run(t.CreatePrimary, { primaryHandle: t.RH.OWNER }, { ...plain, inPublic: t.templates.srkP256 }, { deadline: 50 })).rejects.toMatchObject({ code: 'hung' });
      swtpm.resume();
      expect(await listed(tpm, 0x80000000)).toEqual([ours.objectHandle]);
      await tpm.flush(ours.objectHandle);
    });
  });

  it('costs an HMAC session, and the next command starts another', async () => {
    await connected(async (tpm) => {
      const { objectHandle, name } = await primary(tpm);
      const quote = (deadline = 5000): Promise<unknown> => tpm.run(t.Quote, { signHandle: { handle: objectHandle, name, auth: t.hmac('') } }, { qualifyingData: NONE, inScheme: { scheme: 'null' }, PCRselect: [] }, { deadline });
      await quote();
      swtpm.pause();
      await expect(quote(50)).rejects.toMatchObject({ code: 'hung' });
      swtpm.resume();
      await quote();
      await tpm.flush(objectHandle);
    });
  });
});

describe('a TPM that goes away and comes back', () => {
  it('killed in the middle: closed, then absent, then at work again', async () => {
    await connected(async (tpm) => {
      const { objectHandle, name } = await primary(tpm);
      await tpm.run(t.Quote, { signHandle: { handle: objectHandle, name, auth: t.hmac('') } }, { qualifyingData: NONE, inScheme: { scheme: 'null' }, PCRselect: [] });
      swtpm.pause();
      const under = expect(random(tpm)).rejects.toMatchObject({ code: 'closed' });
      await new Promise((done) => setTimeout(done, 20));
      await swtpm.kill();
      await under;
      await expect(random(tpm)).rejects.toMatchObject({ code: 'absent' });
      await swtpm.restart();
      await random(tpm);
      const again = await primary(tpm);
      await tpm.run(t.Quote, { signHandle: { handle: again.objectHandle, name, auth: t.hmac('') } }, { qualifyingData: NONE, inScheme: { scheme: 'null' }, PCRselect: [] });
      await tpm.flush(again.objectHandle);
    });
  });

  it('reset under a living connection: a pooled session that died with it is replaced unseen', async () => {
    await connected(async (tpm) => {
      const quote = async (): Promise<unknown> => tpm.withObject(primary(tpm), ({ objectHandle, name }) =>
        tpm.run(t.Quote, { signHandle: { handle: objectHandle, name, auth: t.hmac('') } }, { qualifyingData: NONE, inScheme: { scheme: 'null' }, PCRselect: [] }));
      await quote();
      await swtpm.reset('none');
      await tpm.run(t.Startup, {}, { startupType: 'clear' });
      await quote();
    });
  });
});

describe('what a killed predecessor left', () => {
  it('three objects and three sessions, by kill -9: swept at connection', async () => {
    const child = fork(new URL('support/leaver.mts', import.meta.url), [swtpm.spec], { execArgv: ['--import', 'tsx'], stdio: 'inherit' });
    await new Promise((done) => child.once('message', done));
    child.kill('SIGKILL');
    await new Promise((done) => child.once('exit', done));
    const tpm = await t.connect(swtpm.spec, { sweep: false });
    expect(await listed(tpm, 0x80000000)).toHaveLength(3);
    expect(await listed(tpm, 0x02000000)).toHaveLength(3);
    await tpm.close();
    await connected(async (next) => {
      expect(await listed(next, 0x80000000)).toEqual([]);
      expect(await listed(next, 0x02000000)).toEqual([]);
    });
  });

  it('is swept also when it is met only as 0x902 or 0x903, and nothing of ours with it', async () => {
    const tpm = await t.connect(swtpm.spec);
    const ours = await primary(tpm);
    const stranger = new t.Tpm(tpm.channel); // another client on the same channel: its objects are not ours
    await primary(stranger);
    await primary(stranger);
    await stranger.startSession();
    await stranger.startSession();
    const session = await tpm.startSession();
    const other = await primary(tpm);
    const policy = await tpm.startSession({ type: 'policy' });
    expect(new Set(await listed(tpm, 0x80000000))).toEqual(new Set([ours.objectHandle, other.objectHandle]));
    for (const what of [session, policy, ours.objectHandle, other.objectHandle]) await tpm.flush(what);
    await tpm.close();
  });

  it('on a channel that is not ours to sweep, nothing is flushed', async () => {
    const tpm = await t.connect(swtpm.spec);
    const { objectHandle } = await primary(tpm);
    const channel = tpm.channel;
    const device: t.Channel = { shared: true, sweepable: false, get losses() { return channel.losses; }, send: (bytes, ms) => channel.send(bytes, ms), close: () => channel.close() };
    const other = new t.Tpm(device);
    expect(await other.sweep()).toBe(0);
    expect(await listed(tpm, 0x80000000)).toEqual([objectHandle]);
    await tpm.flush(objectHandle);
    await tpm.close();
  });
});

describe('warnings', () => {
  it('RETRY on the first use of a DA-protected key after a reset is repeated; the caller sees nothing', async () => {
    await swtpm.restart();
    const wire = new Tapped(await t.openChannel(swtpm.spec));
    const codes: number[] = [];
    wire.onResponse = (response) => { codes.push(response.readUInt32BE(6)); return response; };
    const tpm = new t.Tpm(wire);
    const inPublic = { ...t.templates.akP256, objectAttributes: { ...t.templates.akP256.objectAttributes, noDA: false } };
    await tpm.withObject(tpm.run(t.CreatePrimary, { primaryHandle: t.RH.OWNER }, { ...plain, inPublic }), ({ objectHandle }) =>
      tpm.run(t.Quote, { signHandle: objectHandle }, { qualifyingData: NONE, inScheme: { scheme: 'null' }, PCRselect: [] }));
    expect(codes).toContain(t.RC.RETRY);
    await tpm.close();
  });

  it.each([t.RC.RETRY, t.RC.YIELDED, t.RC.TESTING])('0x%i forever is given back after the deadline, with the bytes repeated at growing distance', async (code) => {
    const wire = new Tapped(await t.openChannel(swtpm.spec));
    wire.onResponse = () => Buffer.from(`80010000000a${code.toString(16).padStart(8, '0')}`, 'hex');
    const tpm = new t.Tpm(wire);
    const began = performance.now();
    await expect(random(tpm, 100)).rejects.toMatchObject({ code });
    expect(performance.now() - began).toBeLessThan(2000);
    expect(wire.sent.length).toBeGreaterThan(2);
    expect(wire.sent.length).toBeLessThan(12);
    await tpm.close();
  });
});

describe('answers that are none', () => {
  /** A server that answers each command with fixed bytes: what a broken or hostile TPM would do to the channel. */
  async function serving<T>(answer: Buffer, use: (tpm: t.Tpm) => Promise<T>): Promise<T> {
    const server = net.createServer((socket) => socket.on('data', () => socket.write(answer)).on('error', () => undefined));
    const path = join(dir, `g${Math.random()}`);
    await new Promise<void>((done) => server.listen(path, done));
    try {
      const tpm = await t.connect(`swtpm:unix:${path}`, { sweep: false });
      try { return await use(tpm); } finally { await tpm.close(); }
    } finally {
      server.close();
    }
  }

  it.each([
    ['a size below the header’s', '80010000000500000000'], ['a size of gigabytes', '8001ffffffff00000000'], ['text', Buffer.from('HTTP/1.1 400 Bad Request\r\n').toString('hex')],
    ['a wrong tag', '12340000000a00000000'], ['bytes after the end', '80010000000a0000000000'], ['an error with a body', '80010000000c000001010000'], ['no body where one must be', '80010000000a00000000'],
    ['a list that is longer than the message', '80010000000cffff00000000'],
  ])('%s: garbage', async (_, bytes) => {
    await serving(Buffer.from(bytes, 'hex'), async (tpm) => {
      for (let i = 0; i < 2; i++) await expect(random(tpm)).rejects.toMatchObject({ name: 'ChannelError', code: 'garbage' });
    });
  });

  it('half an answer and then nothing is a hung TPM', async () => {
    await serving(Buffer.from('80010000001400', 'hex'), (tpm) => expect(random(tpm, 50)).rejects.toMatchObject({ code: 'hung' }));
  });

  it('every truncation and every flipped bit of a real answer is refused or is a legal answer, and never anything but a typed error', async () => {
    const ask = t.encodeCommand({ row: t.GetCapability as t.Command, handles: [], sessions: [], params: { capability: 'tpmProperties', property: 0x100, propertyCount: 6 } });
    const real = await exchange(swtpm.spec, ask);
    const wire = new Tapped(await t.openChannel(swtpm.spec));
    const tpm = new t.Tpm(wire);
    const run = async (bytes: Buffer): Promise<unknown> => {
      wire.onResponse = () => bytes;
      return await tpm.run(t.GetCapability, {}, { capability: 'tpmProperties', property: 0x100, propertyCount: 6 }).catch((cause: unknown) => cause);
    };
    expect(await run(real)).not.toBeInstanceOf(Error);
    for (let size = 0; size < real.length; size++) expect(await run(real.subarray(0, size))).toMatchObject({ name: 'ChannelError', code: 'garbage' });
    for (let bit = 0; bit < real.length * 8; bit++) {
      const flipped = Buffer.from(real);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const result = await run(flipped);
      expect(result instanceof t.TpmError || result instanceof t.ChannelError || !(result instanceof Error)).toBe(true);
    }
    await tpm.close();
  }, 10_000);
});

it('over TCP it is the same TPM', async () => {
  const tcp = await startSwtpm({ transport: 'tcp' });
  await connected(async (tpm) => {
    await tpm.withObject(primary(tpm), async ({ name }) => expect(name).toHaveLength(34));
  }, tcp.spec);
  await tcp.stop();
});

it('exclusive holds the turn over several commands, and others come after', async () => {
  await connected(async (tpm) => {
    const order: string[] = [];
    const held = tpm.exclusive(async (mine) => {
      await random(mine);
      order.push('mine');
      await mine.withSession({ type: 'policy' }, async () => { order.push('mine'); });
    });
    const other = random(tpm).then(() => order.push('other'));
    await Promise.all([held, other]);
    expect(order).toEqual(['mine', 'mine', 'other']);
  });
});

it('entity computes Names; those of PCRs and hierarchies are their handles', async () => {
  await connected(async (tpm) => {
    expect((await tpm.entity(0x81010001)).name).toHaveLength(34);
    expect((await tpm.entity(0x01c00002)).name).toHaveLength(34);
    expect(await tpm.entity(t.RH.OWNER, t.password('x'))).toEqual({ handle: t.RH.OWNER, auth: t.password('x') });
  });
});
