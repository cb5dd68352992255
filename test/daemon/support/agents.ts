/** Real programs as agents: a folder, a manifest signed by a test publisher, a process. */
import { type ChildProcess, type ChildProcessWithoutNullStreams, execFileSync, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { buildManifest } from '../../../attest/manifest.js';
import { signerOf, verifyKey } from '../../../src/base/jws.js';
import { AGENT_MANIFEST, type AgentManifest } from '../../../src/objects/manifest.js';
import { open, seal } from '../../../src/objects/signed.js';
import { identify } from '../../../daemon/door/peer.js';
import type { Agent, Peer } from '../../../daemon/ports.js';
import { hashTree } from '../../../daemon/sense/build.js';
import { learnMappings } from '../../../daemon/sense/learn.js';

export const NODE = realpathSync(process.execPath);
export const PYTHON = realpathSync(execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim());

const signer = signerOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, 'b-test');
const key = verifyKey(signer.jwk, 'b-test');

export const tempDir = (): string => mkdtempSync(join(realpathSync(tmpdir()), 'ari-agent-'));

export function writeTree(root: string, files: Record<string, string>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

const learnt = new Map<string, ReturnType<typeof learnMappings>>();
const mappingsOfRuntime = (interpreter: string, runtime: 'node' | 'python'): ReturnType<typeof learnMappings> => {
  const known = learnt.get(interpreter) ?? learnMappings(interpreter, runtime);
  learnt.set(interpreter, known);
  return known;
};

/** The agent in a folder as it is now, for an interpreter of this machine. */
export async function agentIn(root: string, entry: string, runtime: 'node' | 'python', change: Partial<AgentManifest['launch']> = {}): Promise<Agent> {
  const interpreter = runtime === 'node' ? NODE : PYTHON;
  const mapped = await mappingsOfRuntime(interpreter, runtime);
  const manifest = buildManifest({
    jti: 'manifest-1', issuer: 'test-publisher', nowS: 1_800_000_000, agent: { id: `agent-${runtime}`, version: '1.0.0', publisher: 'test-publisher' },
    files: await hashTree(root),
    interpreters: mapped.filter((file) => file.path === interpreter),
    mappings: mapped.filter((file) => file.path !== interpreter),
    launch: { entry, runtime, allowAnonymousCode: runtime === 'node', ...change },
  });
  return { id: manifest.agent.id, manifest: open(AGENT_MANIFEST, seal(AGENT_MANIFEST, manifest, signer), () => key), root, uid: process.getuid?.() ?? 0 };
}

/** A process that is driven by lines: one in, one out. */
export class Program {
  readonly child: ChildProcessWithoutNullStreams;
  private readonly lines: AsyncIterator<string>;

  /** One that is started by others, with pipes for its standard streams. */
  static async of(start: (stdio: 'pipe') => Promise<ChildProcess>): Promise<Program> {
    return new Program(await start('pipe') as ChildProcessWithoutNullStreams);
  }

  constructor(command: string | ChildProcessWithoutNullStreams, args: string[] = [], env: NodeJS.ProcessEnv = {}) {
    this.child = typeof command === 'string' ? spawn(command, args, { env: { PATH: process.env['PATH'], ...env } }) : command;
    this.child.stderr.on('data', (text: Buffer) => { this.errors += text.toString(); });
    this.child.stdin.on('error', () => undefined);
    this.lines = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }
  errors = '';

  async line(): Promise<string> {
    const { value, done } = await this.lines.next() as { value: string; done?: boolean };
    if (done) throw new Error(`the program ended: ${this.errors}`);
    return value;
  }

  say(text: string): void {
    this.child.stdin.write(`${text}\n`);
  }

  async ask(text: string): Promise<string> {
    this.say(text);
    return this.line();
  }

  async end(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}

/** A socket that identifies whoever connects. */
export class Listener {
  readonly path: string;
  private readonly server: Server;
  private readonly arrivals: { socket: Socket; peer: Peer }[] = [];
  private waiting: (() => void) | undefined;

  private constructor(dir: string) {
    this.path = join(dir, 'peer.sock');
    this.server = createServer({ pauseOnConnect: true, allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined);
      this.arrivals.push({ socket, peer: identify(socket) });
      this.waiting?.();
    });
  }

  static async in(dir: string): Promise<Listener> {
    const listener = new Listener(dir);
    listener.server.listen(listener.path);
    await once(listener.server, 'listening');
    return listener;
  }

  async next(): Promise<{ socket: Socket; peer: Peer }> {
    for (;;) {
      const arrived = this.arrivals.shift();
      if (arrived) return arrived;
      await new Promise<void>((resolve) => { this.waiting = resolve; });
    }
  }

  close(): void {
    this.server.close();
  }
}

export const removeDir = (dir: string): void => rmSync(dir, { recursive: true, force: true });
