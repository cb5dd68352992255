/** A verifier process under the test's hand. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { fromLine, toLine } from './lines.js';

const CHILD = fileURLToPath(new URL('./child.ts', import.meta.url));

export interface Answer { result?: unknown; refused?: string }

export class StoreProcess {
  private readonly child: ChildProcess = spawn(process.execPath, ['--import', 'tsx', CHILD], { stdio: ['pipe', 'pipe', 'inherit'] });
  private readonly lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();

  /** Asks for one verb and waits for its answer. */
  async ask(verb: string, ...args: unknown[]): Promise<Answer> {
    this.send(verb, ...args);
    return (await this.line()) as Answer;
  }

  send(verb: string, ...args: unknown[]): void {
    this.child.stdin!.write(toLine({ verb, args }));
  }

  /** The next thing it says; null when it ended. */
  async line(): Promise<unknown> {
    const { value, done } = await this.lines.next();
    return done ? null : fromLine(value as string);
  }

  async kill(): Promise<void> {
    const ended = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await ended;
  }
}
