/** The test's hand on the provider's process. */
import { type ChildProcess, spawn } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import type { PublicJwk } from '../../../src/base/shape.js';
import type { Trick } from './server.js';

const SERVER = fileURLToPath(new URL('./server.ts', import.meta.url));
type PrivateJwk = PublicJwk & { d: string };
const newJwk = (): PrivateJwk => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ format: 'jwk' }) as PrivateJwk;

export interface Entry { id: string; kind: 'payment' | 'refund'; outcome: 'settled' | 'declined'; amount: string; account: string }

async function freePort(): Promise<number> {
  const listener = createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const { port } = listener.address() as { port: number };
  listener.close();
  await once(listener, 'close');
  return port;
}

export class Psp {
  readonly url: string;
  /** Its public key, a file as the verifier's configuration names it. */
  readonly keyFile: string;
  readonly jwk: PublicJwk;
  private readonly dir: string;
  private readonly port: number;
  private child!: ChildProcess;
  private lines!: AsyncIterator<string>;

  private constructor(dir: string, port: number) {
    this.dir = dir;
    this.port = port;
    this.url = `http://127.0.0.1:${port}`;
    this.keyFile = join(dir, 'psp-key.jwk');
    const own = newJwk();
    const { kty, crv, x, y } = own;
    this.jwk = { kty, crv, x, y };
    writeFileSync(this.keyFile, JSON.stringify(this.jwk));
    writeFileSync(join(dir, 'psp-own.json'), JSON.stringify({ own, forger: newJwk() }));
  }

  /** Makes its keys and a port; it runs after {@link start}. */
  static async prepare(dir: string): Promise<Psp> {
    return new Psp(dir, await freePort());
  }

  /** @param caller the public key of the settlement role that it takes orders from */
  async start(caller: PublicJwk): Promise<void> {
    const keysFile = join(this.dir, 'psp-keys.json');
    writeFileSync(keysFile, JSON.stringify({ ...JSON.parse(readFileSync(join(this.dir, 'psp-own.json'), 'utf8')), caller }));
    this.child = spawn(process.execPath, ['--import', 'tsx', SERVER, String(this.port), this.bookFile, keysFile], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
    await this.lines.next();
  }

  /** How it treats the next order. */
  async next(trick: Trick, detail = ''): Promise<void> {
    this.child.stdin!.write(`${trick} ${detail}\n`);
    await this.lines.next();
  }

  /** Its book: what it moved, and what it said it never would. */
  book(): Entry[] {
    return existsSync(this.bookFile) ? readFileSync(this.bookFile, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Entry) : [];
  }

  get alive(): boolean { return this.child.exitCode === null && this.child.signalCode === null; }

  async kill(): Promise<void> {
    this.child.kill('SIGKILL');
    await this.died();
  }

  async died(): Promise<void> {
    if (this.alive) await once(this.child, 'exit');
  }

  private get bookFile(): string { return join(this.dir, 'psp-book.jsonl'); }
}
