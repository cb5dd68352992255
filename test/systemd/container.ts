/** A machine with a systemd of its own: a container of systemd-nspawn on this kernel, with this machine's network, Node and checkout. */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { ensurePackages } from '../../cli/demo/packages.js';
import { Process } from '../../cli/demo/processes.js';

const CHECKOUT = fileURLToPath(new URL('../..', import.meta.url));
const ROOT = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'ari-sidecar/systemd-root');
const SOURCES = ['/etc/apt/sources.list.d/debian.sources', '/etc/apt/sources.list'];
const ENV = ['env', '-i', 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', 'HOME=/root'];
const BOOT_MS = 30_000;

/** Where the checkout, Node and the folder shared with this machine stand in the container. */
export const AT = { checkout: '/opt/ari', node: '/usr/local/bin/node', shared: '/srv/stage' } as const;
export interface Ran { readonly status: number; readonly stdout: string; readonly stderr: string }

/** Debian with systemd and nothing else, made once (half a minute) and kept. */
function makeRoot(): void {
  ensurePackages({ mmdebstrap: ['mmdebstrap'], 'systemd-container': ['systemd-nspawn'] }, (text) => process.stderr.write(`${text}\n`));
  if (existsSync(ROOT)) return;
  const fresh = `${ROOT}.new`;
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(dirname(ROOT), { recursive: true });
  const suite = /^VERSION_CODENAME=(.*)$/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'bookworm';
  execFileSync('mmdebstrap', ['--variant=minbase', '--include=systemd-sysv,dbus,libstdc++6', '--quiet', suite, fresh, ...SOURCES.filter((file) => existsSync(file)).slice(0, 1)], { stdio: ['ignore', 'ignore', 'inherit'] });
  renameSync(fresh, ROOT);
}

export class Container {
  private readonly machine: ChildProcess;
  private readonly leader: number;

  private constructor(machine: ChildProcess, leader: number) {
    this.machine = machine;
    this.leader = leader;
  }

  /** `shared`: a folder of this machine. What is written elsewhere is gone with the container. */
  static async boot(shared: string): Promise<Container> {
    makeRoot();
    const machine = spawn('systemd-nspawn', ['-q', '-D', ROOT, '--volatile=overlay', '-b', '--register=no', '--keep-unit', '--console=pipe', '--capability=CAP_CHECKPOINT_RESTORE',
      `--bind-ro=${CHECKOUT}:${AT.checkout}`, `--bind-ro=${process.execPath}:${AT.node}`, `--bind=${shared}:${AT.shared}`], { stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [machine.stdout, machine.stderr]) stream.on('data', (text: Buffer) => { said += text.toString(); });
    process.once('exit', () => machine.kill('SIGKILL'));
    for (const end = Date.now() + BOOT_MS; Date.now() < end && machine.exitCode === null; await sleep(100)) {
      const [leader] = readFileSync(`/proc/${machine.pid}/task/${machine.pid}/children`, 'utf8').trim().split(' ');
      const container = new Container(machine, Number(leader));
      if (Number(leader) > 0 && /running|degraded/.test(container.run('systemctl is-system-running').stdout)) return container;
    }
    machine.kill('SIGKILL');
    throw new Error(`the container did not start: ${said}`);
  }

  /** Runs a line of shell in it, to its end. */
  run(line: string): Ran {
    const { status, stdout, stderr } = spawnSync('nsenter', this.enter('sh', '-c', line), { encoding: 'utf8' });
    return { status: status ?? 1, stdout, stderr };
  }

  /** What a command that must succeed says. */
  must(line: string): string {
    const { status, stdout, stderr } = this.run(line);
    if (status !== 0) throw new Error(`${line}: ${status}\n${stdout}${stderr}`);
    return stdout.trim();
  }

  /** Starts a program in it that goes on. */
  start(name: string, ...command: string[]): Process {
    return new Process(name, 'nsenter', this.enter(...command));
  }

  ari(...args: string[]): string[] {
    return [AT.node, `${AT.checkout}/dist/cli/ari.js`, ...args];
  }

  async stop(): Promise<void> {
    const ended = new Promise((done) => this.machine.once('exit', done));
    if (this.machine.exitCode === null) {
      this.run('systemctl poweroff');
      await Promise.race([ended, sleep(10_000, undefined, { ref: false })]);
      this.machine.kill('SIGKILL');
    }
  }

  private enter(...command: string[]): string[] {
    return ['-t', String(this.leader), '-a', ...ENV, ...command];
  }
}
