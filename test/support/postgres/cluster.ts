/** A PostgreSQL server of the test's own: a new cluster in a folder of its own, on a unix socket, with everything that makes it durable left on. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chownSync, existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { ensurePackages } from '../../../cli/demo/packages.js';

/** In memory where there is such a directory: what a killed server wrote stays, only a power cut would show the difference. */
const ROOT = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
/** Debian keeps each version's programs in a folder of its own. */
const VERSIONS = '/usr/lib/postgresql';

/** The folder of the newest installed server's programs, null when there is none. */
function serverPrograms(): string | null {
  const versions = existsSync(VERSIONS) ? readdirSync(VERSIONS).sort((a, b) => Number(b) - Number(a)) : [];
  return versions.map((version) => join(VERSIONS, version, 'bin')).find((bin) => existsSync(join(bin, 'initdb'))) ?? null;
}

/** The server refuses to run as root: it is given to its package's own user then. */
function account(): { uid?: number; gid?: number } {
  if (process.getuid?.() !== 0) return {};
  const [uid, gid] = ['-u', '-g'].map((of) => Number(spawnSync('id', [of, 'postgres'], { encoding: 'utf8' }).stdout));
  return { uid: uid!, gid: gid! };
}

/** The URL of one of a server's databases. */
export const databaseAt = (server: string, database: string): string => Object.assign(new URL(server), { pathname: `/${database}` }).href;

export class Cluster {
  readonly dir: string;
  private readonly bin: string;
  private readonly as = account();
  private postmaster: ChildProcess | null = null;

  private constructor(bin: string) {
    this.bin = bin;
    this.dir = mkdtempSync(join(ROOT, 'ari-pg-'));
    if (this.as.uid !== undefined) chownSync(this.dir, this.as.uid, this.as.gid!);
  }

  static async start(): Promise<Cluster> {
    if (serverPrograms() === null) ensurePackages({ postgresql: ['initdb'] }, (text) => process.stderr.write(`${text}\n`));
    const bin = serverPrograms();
    if (bin === null) throw new Error('no PostgreSQL server is installed');
    const cluster = new Cluster(bin);
    const { status, stderr } = spawnSync(join(bin, 'initdb'), ['-D', cluster.data, '-U', 'ari', '--auth=trust', '-E', 'UTF8', '--locale=C.UTF-8'], { ...cluster.as, cwd: cluster.dir, encoding: 'utf8' });
    if (status !== 0) throw new Error(`initdb: ${stderr}`);
    await cluster.run();
    return cluster;
  }

  private get data(): string { return join(this.dir, 'data'); }

  url(database: string): string { return databaseAt(`postgres://ari@localhost/?host=${this.dir}`, database); }

  /** Until it answers. After a kill the old server's last processes may hold the folder for a moment. */
  async run(): Promise<void> {
    for (const end = Date.now() + 30_000; Date.now() < end; await sleep(20)) {
      if (!this.alive) {
        this.postmaster = spawn(join(this.bin, 'postgres'), ['-D', this.data, '-k', this.dir, '-c', 'listen_addresses=', '-c', 'max_connections=200', '-c', 'max_wal_size=128MB', '-c', 'dynamic_shared_memory_type=mmap'], { ...this.as, cwd: this.dir, stdio: 'ignore' });
      }
      if (await this.answers()) return;
    }
    throw new Error('the PostgreSQL server does not answer');
  }

  private async answers(): Promise<boolean> {
    const client = new pg.Client({ connectionString: this.url('postgres') });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.end();
      return true;
    } catch {
      return false;
    }
  }

  /** Of the postmaster, 0 when there is none. */
  get pid(): number { return this.postmaster?.pid ?? 0; }

  /** kill -9 of the postmaster: nothing of the server goes on. Killed when the call returns, gone when it resolves. */
  async kill(): Promise<void> {
    this.postmaster?.kill('SIGKILL');
    await this.gone();
  }

  /** Until it has ended, whoever ended it. */
  async gone(): Promise<void> {
    if (this.alive) await once(this.postmaster!, 'exit');
  }

  private get alive(): boolean { return this.postmaster !== null && this.postmaster.exitCode === null && this.postmaster.signalCode === null; }

  async close(): Promise<void> {
    this.postmaster?.kill('SIGINT');
    await this.gone();
    rmSync(this.dir, { recursive: true, force: true, maxRetries: 5 });
  }
}
