/** The door closes within its time, whatever agents do; and what they wait for is still told to them, if it comes in time. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as tick, setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Door, openDoor } from '../../../daemon/door/door.js';
import { Launches } from '../../../daemon/launch/launches.js';
import type { Agent } from '../../../daemon/ports.js';
import { agentIn, Program, PYTHON, removeDir, tempDir } from '../support/agents.js';
import { OWN, recordingApi, silentLog } from '../support/api.js';

/** Sends one request, and reads only when it is told to: all there is until the end. */
const MUTE = `import socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
connection.sendall(bytes(sys.argv[2], 'ascii').decode('unicode_escape').encode())
print('asked', flush=True)
sys.stdin.readline()
read = b''
while True:
    piece = connection.recv(65536)
    if not piece: break
    read += piece
print(read.split(b'\\r\\n')[0].decode() + ' ' + str(b'"settled"' in read), flush=True)
sys.stdin.read()
`;
const ORDER = '{"payee":{"id":"shop"},"amount":{"amount":19900,"currency":"CNY"},"order":{"ref":"A-1"}}';
const PAY = `POST /v1/payments HTTP/1.1\\r\\nhost: ari\\r\\nidempotency-key: k\\r\\ncontent-length: ${ORDER.length}\\r\\n\\r\\n${ORDER}`;
const EVENTS = 'GET /v1/events HTTP/1.1\\r\\nhost: ari\\r\\n\\r\\n';

describe('the door that closes', () => {
  let dir: string;
  let socket: string;
  let agent: Agent;
  let door: Door | null = null;
  const programs: Program[] = [];
  beforeAll(async () => {
    dir = tempDir();
    socket = join(dir, 'agent.sock');
    writeFileSync(join(dir, 'mute.py'), MUTE);
    agent = await agentIn(dir, 'mute.py', 'python');
  });
  afterEach(async () => {
    await Promise.all(programs.splice(0).map((program) => program.end()));
    await door?.close();
  });
  afterAll(() => removeDir(dir));

  const open = async (api = recordingApi()) => {
    door = await openDoor({ socket, agents: [agent], launches: new Launches(), api: api.api, limits: { bodyBytes: 4096, paymentsPerMinute: 3 }, log: silentLog });
    return api;
  };
  const ask = async (request: string): Promise<Program> => {
    const program = new Program(PYTHON, [join(dir, 'mute.py'), socket, request]);
    programs.push(program);
    await program.line();
    return program;
  };
  const close = async (): Promise<number> => {
    const from = performance.now();
    await door?.close();
    door = null;
    return performance.now() - from;
  };

  it('ends streams of events and connections on which nothing is asked', async () => {
    const api = await open();
    await ask(EVENTS);
    await ask('');
    await ask(`GET /v1/payments/${OWN} HTTP/1.1\\r\\nhost: ari\\r\\n\\r\\n`);
    await expect.poll(() => api.listeners()).toBe(1);
    expect(await close()).toBeLessThan(1000);
    expect(api.listeners()).toBe(0);
  }, 5_000);

  it('does not wait for an agent that reads nothing: neither one that it cut off, nor one that has yet to read', async () => {
    const api = await open();
    await ask(EVENTS);
    await expect.poll(() => api.listeners()).toBe(1);
    // What the kernel holds for it is full first, and then what is held for it here: each of these is written before the next is made.
    const emit = async (): Promise<void> => { api.emit(news); await tick(); };
    const news = { type: 'payment', body: { ...api.api.payment(agent, OWN)!, message: 'x'.repeat(1000) } } as const;
    while (api.listeners() > 0) await emit();
    await ask(EVENTS);
    await expect.poll(() => api.listeners()).toBe(1);
    for (let n = 0; n < 300; n++) await emit();
    expect(await close()).toBeLessThan(3000);
  }, 8_000);

  it('lets a payment under way end, and tells its agent how', async () => {
    const api = await open(recordingApi(() => wait(300)));
    const program = await ask(PAY);
    await expect.poll(() => api.begun).toBe(1);
    const closing = close();
    expect(await program.ask('read')).toBe('HTTP/1.1 200 OK True');
    expect(await closing).toBeLessThan(2000);
  }, 5_000);
});
