/** Starts, watches and ends the demo's processes. What one of them says on standard error is kept, and shown only when it fails. */
import { type ChildProcess, spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { setTimeout as sleep } from 'node:timers/promises';
import { fault } from '../../src/base/fault.js';

/** The built command, also when this runs from sources. */
export const ARI = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../../dist/cli/ari.js' : '../ari.js', import.meta.url));
const KEPT = 200;

/** None of them outlives this process. */
const RUNNING = new Set<ChildProcess>();
process.once('exit', () => { for (const child of RUNNING) child.kill('SIGKILL'); });

export class Process {
  readonly name: string;
  private readonly child: ChildProcess;
  private readonly said: string[] = [];
  private readonly lines: string[] = [];
  private readonly readers: ((line: string) => void)[] = [];
  private readonly ended: Promise<void>;

  constructor(name: string, command: string, args: string[], env: NodeJS.ProcessEnv = {}) {
    this.name = name;
    this.child = spawn(command, args, { stdio: ['pipe', 'pipe', 'pipe'], env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...env } });
    this.ended = new Promise((done) => this.child.once('close', () => done()).once('error', () => done()));
    createInterface({ input: this.child.stderr as NodeJS.ReadableStream }).on('line', (line) => { this.said.push(line); if (this.said.length > KEPT) this.said.shift(); });
    createInterface({ input: this.child.stdout as NodeJS.ReadableStream }).on('line', (line) => (this.readers.shift() ?? ((l) => this.lines.push(l)))(line));
    RUNNING.add(this.child);
    void this.ended.then(() => RUNNING.delete(this.child));
  }

  get pid(): number { return this.child.pid ?? 0; }
  get log(): string { return this.said.join('\n'); }

  /** Writes a line to its standard input and waits for the next line of its output. */
  async ask(line: string, deadlineMs = 60_000): Promise<string> {
    this.say(line);
    return this.line(deadlineMs);
  }

  say(line: string): void {
    this.child.stdin?.write(`${line}\n`);
  }

  /** The next line of its output. */
  async line(deadlineMs = 60_000): Promise<string> {
    const answer = this.lines.shift() ?? new Promise<string>((done) => this.readers.push(done));
    return Promise.race([answer, this.ended.then(() => this.fail('ended')), sleep(deadlineMs, undefined, { ref: false }).then(() => this.fail(`did not answer within ${deadlineMs} ms`))]);
  }

  /** Waits until a check holds, while the process lives. */
  async until(check: () => Promise<boolean>, deadlineMs = 30_000): Promise<void> {
    for (const end = Date.now() + deadlineMs; Date.now() < end; await sleep(25)) {
      if (this.child.exitCode !== null || this.child.signalCode !== null) this.fail(`ended with ${this.child.exitCode ?? this.child.signalCode}`);
      if (await check().catch(() => false)) return;
    }
    this.fail(`was not ready within ${deadlineMs} ms`);
  }

  fail(what: string): never {
    throw fault('usage.wrong', { what: `the ${this.name} ${what}${this.log ? `; it said:\n${this.log}` : ''}` });
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.child.kill(signal);
    this.child.stdin?.end();
    await this.ended;
  }
}

export const ari = (name: string, ...args: string[]): Process => new Process(name, process.execPath, [ARI, ...args]);
