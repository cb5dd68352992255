import { copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { statField } from '../../../daemon/door/peer.js';
import type { Peer } from '../../../daemon/ports.js';
import { Listener, NODE, Program, PYTHON, removeDir, tempDir } from '../support/agents.js';

const AGENT = join(import.meta.dirname, '../support/agent.py');
const LAST_PID = '/proc/sys/kernel/ns_last_pid';

describe('the peer of a connection', () => {
  let dir: string;
  let listener: Listener;
  let program: Program;
  let peer: Peer;

  beforeAll(async () => {
    dir = tempDir();
    listener = await Listener.in(dir);
  });
  afterAll(() => {
    listener.close();
    removeDir(dir);
  });
  afterEach(async () => {
    peer.close();
    await program.end();
  });

  const connect = async (): Promise<void> => {
    program = new Program(PYTHON, [AGENT, listener.path]);
    ({ peer } = await listener.next());
    await program.line();
  };
  const code = (): string => {
    try {
      peer.stillThere();
      return 'still there';
    } catch (error) {
      return (error as { code: string }).code;
    }
  };

  it('is the process that connected, with its user, start time and executable', async () => {
    await connect();
    const exe = statSync(PYTHON, { bigint: true });
    expect(peer).toMatchObject({ pid: program.child.pid, uid: process.getuid?.(), gid: process.getgid?.(), exe: { dev: exe.dev.toString(), ino: exe.ino.toString(), path: PYTHON } });
    expect(peer.startTicks).toBe(statField(`/proc/${program.child.pid}`, 22));
    expect(readFileSync(`${peer.proc}/comm`, 'utf8')).toMatch(/^python/);
    expect(code()).toBe('still there');
  });

  it('is gone when its process ended', async () => {
    await connect();
    await program.end();
    expect(code()).toBe('peer.gone');
  });

  it('is gone also while a child of it holds the connection', async () => {
    await connect();
    const [, heir] = (await program.ask('heir')).split(' ');
    expect(code()).toBe('peer.gone');
    process.kill(Number(heir), 'SIGKILL');
  });

  it('has changed when the same program was started anew by exec, though pid, start time and executable are the same', async () => {
    await connect();
    const { pid, startTicks } = peer;
    expect(await program.ask('exec')).toBe(`ready ${pid}`);
    expect(statField(`/proc/${pid}`, 22)).toBe(startTicks);
    expect(code()).toBe('peer.exec_changed');
  });

  it('has changed when it became another program by exec', async () => {
    await connect();
    const other = join(dir, 'python-copy');
    copyFileSync(PYTHON, other);
    program.say(`exec ${other}`);
    await expect.poll(code).toBe('peer.exec_changed');
  });

  it.skipIf(!existsSync(LAST_PID) || process.getuid?.() !== 0)('is never another process that was given its pid', async () => {
    await connect();
    await program.end();
    const heir = reusePid(peer.pid);
    expect(heir).toBe(peer.pid);
    expect(readFileSync(`/proc/${peer.pid}/comm`, 'utf8')).toBe('sleep\n');
    expect(code()).toBe('peer.pid_reused');
    expect(() => readFileSync(`${peer.proc}/stat`)).toThrow(/ESRCH|ENOENT/);
    process.kill(peer.pid, 'SIGKILL');
  });

  it('serves nobody after it was closed', async () => {
    await connect();
    peer.close();
    expect(code()).toBe('peer.gone');
  });
});

const NATIVE = join(import.meta.dirname, '../../../dist/daemon/native.js');
describe('a sidecar without native calls', () => {
  it.skipIf(!existsSync(NATIVE))('identifies nobody', () => {
    const program = `import(${JSON.stringify(NATIVE)}).then(({ native }) => { try { native(); console.log('served'); } catch ({ code }) { console.log(code); } })`;
    expect(execFileSync(NODE, ['--no-addons', '-e', program], { encoding: 'utf8' })).toBe('peer.unidentified\n');
    expect(execFileSync(NODE, ['-e', program], { encoding: 'utf8' })).toBe('served\n');
  });
});

describe('a line of /proc/PID/stat', () => {
  it('is read from behind the name, which may hold spaces, parentheses and numbers', () => {
    const dir = tempDir();
    const fields = Array.from({ length: 50 }, (_, at) => String(at + 4));
    writeFileSync(join(dir, 'stat'), `7 (a) R 1 (b) S ${fields.join(' ')}\n`);
    expect([statField(dir, 22), statField(dir, 28)]).toEqual(['22', '28']);
    removeDir(dir);
  });
});

/** Starts a process under a freed pid: the kernel hands out the one after ns_last_pid. Null when others were faster each time. */
function reusePid(pid: number): number | null {
  for (let attempt = 0; attempt < 50; attempt++) {
    const started = Number(execFileSync('sh', ['-c', `echo ${pid - 1} > ${LAST_PID}; sleep 30 >/dev/null 2>&1 & echo $!`], { encoding: 'utf8' }));
    if (started === pid) return started;
    process.kill(started, 'SIGKILL');
  }
  return null;
}
