import { cpSync, mkdirSync } from 'node:fs';
import { connect } from 'node:net';
import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { resolveAgent } from '../../../daemon/door/agents.js';
import { Caller } from '../../../daemon/door/caller.js';
import { Rate } from '../../../daemon/door/rate.js';
import { sha256 } from '../../../src/base/bytes.js';
import type { Agent, Peer } from '../../../daemon/ports.js';
import { agentIn, Listener, Program, PYTHON, removeDir, tempDir } from '../support/agents.js';

/** Hands its connection to another process (SCM_RIGHTS), which writes on it. */
const HANDS_ON = `import os, socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
ours, theirs = socket.socketpair()
if os.fork() == 0:
    connection.close()
    _, descriptors, _, _ = socket.recv_fds(theirs, 1, 1)
    socket.socket(fileno=descriptors[0]).sendall(b'from a stranger')
    os._exit(0)
socket.send_fds(ours, [b'x'], [connection.fileno()])
os.wait()
print('done', flush=True)
sys.stdin.read()
`;

const nobody = (): never => { throw new Error('no agent is asked for'); };

describe('a connection', () => {
  let dir: string;
  let listener: Listener;
  const programs: Program[] = [];
  beforeAll(async () => {
    dir = tempDir();
    listener = await Listener.in(dir);
  });
  afterEach(async () => {
    await Promise.all(programs.splice(0).map((program) => program.end()));
  });
  afterAll(() => {
    listener.close();
    removeDir(dir);
  });
  const times = { receiveMs: 150, idleMs: 150, finishMs: 100 };

  it('ends when another process was handed it and writes on it', async () => {
    const program = new Program(PYTHON, ['-c', HANDS_ON, listener.path]);
    programs.push(program);
    const { socket, peer } = await listener.next();
    const { stream } = new Caller(socket, peer, nobody);
    stream.resume();
    const [error] = await once(stream, 'error') as [{ code: string }];
    expect(error.code).toBe('peer.other_speaker');
  });

  it('brings every byte in order, whatever its pieces', async () => {
    const client = connect({ path: listener.path });
    const { socket, peer } = await listener.next();
    const { stream } = new Caller(socket, peer, nobody);
    const sent = Buffer.alloc(1_000_000, 'abcdefg');
    client.end(sent);
    expect((await buffer(stream)).equals(sent)).toBe(true);
    client.destroy();
  });

  it('ends when the request does not arrive in time, byte by byte as well', async () => {
    const client = connect({ path: listener.path }).on('error', () => undefined);
    const { socket, peer } = await listener.next();
    const { stream } = new Caller(socket, peer, nobody, times);
    stream.resume();
    const dribble = setInterval(() => client.write('x'), 20);
    const [error] = await once(stream, 'error') as [{ code: string }];
    clearInterval(dribble);
    client.destroy();
    expect(error.code).toBe('intake.slow');
  });

  it('releases its peer when it ends, and not before the work on it is done', async () => {
    const client = connect({ path: listener.path });
    const { socket, peer } = await listener.next();
    const caller = new Caller(socket, peer, nobody);
    let done = (): void => undefined;
    const work = caller.during(() => new Promise<void>((resolve) => { done = resolve; }));
    caller.stream.destroy();
    await once(caller.stream, 'close');
    expect(() => peer.stillThere()).not.toThrow();
    done();
    await work;
    expect(() => peer.stillThere()).toThrow(expect.objectContaining({ code: 'peer.gone' }));
    client.destroy();
  });

  it('is not held open by work that does not end', async () => {
    const client = connect({ path: listener.path }).on('error', () => undefined);
    const { socket, peer } = await listener.next();
    const caller = new Caller(socket, peer, nobody, times);
    void caller.during(() => new Promise(() => undefined));
    await caller.finish();
    expect(caller.stream.destroyed).toBe(true);
    client.destroy();
  });
});

describe('the agent behind a process', () => {
  let dir: string;
  let listener: Listener;
  let agent: Agent;
  let program: Program;
  let peer: Peer;
  beforeAll(async () => {
    dir = tempDir();
    listener = await Listener.in(dir);
    for (const name of ['one', 'two']) {
      mkdirSync(join(dir, name));
      cpSync(join(import.meta.dirname, '../support/agent.py'), join(dir, name, 'agent.py'));
    }
    agent = await agentIn(join(dir, 'one'), 'agent.py', 'python');
    program = new Program(PYTHON, [join(dir, 'one/agent.py'), listener.path]);
    ({ peer } = await listener.next());
  });
  afterAll(async () => {
    await program.end();
    listener.close();
    removeDir(dir);
  });
  const unknown = (agents: Agent[]): Promise<void> => expect(resolveAgent(peer, agents)).rejects.toMatchObject({ code: 'peer.unknown' });

  it('is the one whose program it runs', async () => {
    expect(await resolveAgent(peer, [{ ...agent, id: 'other', root: join(dir, 'two') }, agent])).toBe(agent);
    expect(await resolveAgent(peer, [{ ...agent, uid: null }])).toMatchObject({ id: agent.id });
  });

  it('is found by the path of its interpreter also when that was updated: the verifier denies it', async () => {
    const { value } = agent.manifest;
    const older = { ...agent, manifest: { ...agent.manifest, value: { ...value, interpreters: value.interpreters.map(({ path }) => ({ path, sha256: sha256('an older one') })) } } };
    expect(await resolveAgent(peer, [older])).toBe(older);
  });

  it('is none of another user', () => unknown([{ ...agent, uid: 12_345 }]));
  it('is none with another program', () => unknown([{ ...agent, root: join(dir, 'two') }]));
  it('is none when it could be two', () => unknown([agent, { ...agent, id: 'twin' }]));
  it('is none where no agent is allowed', () => unknown([]));
});

describe('the rate of an agent', () => {
  it('is counted for each agent and forgotten after a minute', () => {
    let now = 0;
    const rate = new Rate(2, () => now);
    rate.take('a');
    now = 30_000;
    rate.take('a');
    rate.take('b');
    expect(() => rate.take('a')).toThrow(expect.objectContaining({ code: 'intake.rate' }));
    now = 60_000;
    rate.take('a');
    expect(() => rate.take('a')).toThrow(expect.objectContaining({ code: 'intake.rate' }));
  });
});
