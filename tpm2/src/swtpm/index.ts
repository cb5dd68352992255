/**
 * A software TPM for tests and demonstrations (`@ari-sidecar/tpm2/swtpm`): manufactured with its own certificate authority in a directory of its own, started, reset, hung and killed at will.
 * Needs Debian's `swtpm` and `swtpm-tools` (swtpm_setup, swtpm_localca), and setpriv of util-linux. Nothing outside the directory is read or written, so any number may run
 * side by side. A server takes one client at a time: a second connection is answered when the first closes.
 */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { addEcCertificate } from './ec-certificate.js';

const run = promisify(execFile);

export interface SwtpmOptions {
  /** Where state, CA and sockets live. Default: a new temporary directory, removed by stop(). A directory that holds a TPM already is started, not manufactured anew. */
  dir?: string;
  /** Also write a certificate of the P-256 endorsement key to NV index 0x01c0000a (swtpm_setup itself makes RSA-2048 and P-384 only). */
  ecCertificate?: boolean;
  transport?: 'unix' | 'tcp';
  /** A directory whose CA signs the EK certificates, so that several TPMs share a root. Default: `<dir>/ca`. */
  ca?: string;
}

export interface Swtpm {
  /** What connect() and openChannel() take. Stays the same over restart() and reset(). */
  readonly spec: string;
  readonly dir: string;
  readonly caRootPem: string;
  readonly caIssuerPem: string;
  readonly pid: number;
  /** Ends the server in order (SIGTERM) and, when the directory was temporary, removes it. */
  stop(): Promise<void>;
  /** SIGKILL: the state directory stays; restart() brings the TPM back (a TPM Reset: resetCount + 1). */
  kill(): Promise<void>;
  /** SIGTERM if it runs, then a new server with the same state: a TPM Reset with Startup(CLEAR) done. */
  restart(): Promise<void>;
  /**
   * Power cycle while the server lives on. 'clear' or 'state': Startup is sent on a connection of our own, so no client may hold one;
   * 'none': the caller sends Startup.
   */
  reset(startup?: 'clear' | 'state' | 'none'): Promise<void>;
  /** SIGSTOP: a hung TPM. The command it is given is carried out after resume(). */
  pause(): void;
  resume(): void;
}

/** Manufactures (about a second) and starts a TPM. */
export async function startSwtpm(options: SwtpmOptions = {}): Promise<Swtpm> {
  const temporary = options.dir === undefined;
  const dir = options.dir ?? (await mkdtemp(join(tmpdir(), 'swtpm-')));
  const ca = options.ca ?? join(dir, 'ca');
  const fresh = !existsSync(join(dir, 'tpm2-00.permall'));
  if (fresh) await manufacture(dir, ca);
  const port = options.transport === 'tcp' ? await freePort() : undefined;
  const spec = port === undefined ? `swtpm:unix:${join(dir, 's')}` : `swtpm:tcp:127.0.0.1:${port}`;
  let server = await serve(dir, port);

  const atExit = (): void => {
    server.kill('SIGKILL');
    if (temporary) rmSync(dir, { recursive: true, force: true });
  };
  process.on('exit', atExit);
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    if (server.exitCode !== null || server.signalCode !== null) return;
    const gone = new Promise((done) => server.once('exit', done));
    server.ref();
    server.kill(signal);
    server.kill('SIGCONT');
    await gone;
  };

  const tpm: Swtpm = {
    spec,
    dir,
    caRootPem: await readFile(join(ca, 'swtpm-localca-rootca-cert.pem'), 'utf8'),
    caIssuerPem: await readFile(join(ca, 'issuercert.pem'), 'utf8'),
    get pid() { return server.pid ?? 0; },
    async stop() {
      await end('SIGTERM');
      process.off('exit', atExit);
      if (temporary) await rm(dir, { recursive: true, force: true });
    },
    kill: () => end('SIGKILL'),
    async restart() {
      await end('SIGTERM');
      server = await serve(dir, port);
    },
    async reset(startup = 'clear') {
      await run('swtpm_ioctl', ['-i', '--unix', join(dir, 's.ctrl')]);
      if (startup !== 'none') await exchange(spec, Buffer.from(`80010000000c00000144000${startup === 'clear' ? 0 : 1}`, 'hex'));
    },
    pause() { server.kill('SIGSTOP'); },
    resume() { server.kill('SIGCONT'); },
  };
  if (fresh && options.ecCertificate === true) await addEcCertificate(spec, dir);
  return tpm;
}

/** swtpm_setup with a CA configuration of our own: RSA-2048 and P-384 endorsement keys with certificates, banks sha1, sha256 and sha384. */
async function manufacture(dir: string, ca: string): Promise<void> {
  await mkdir(ca, { recursive: true });
  const lines = (...all: string[]): string => `${all.join('\n')}\n`;
  await writeFile(join(dir, 'setup.conf'), lines('create_certs_tool=/usr/bin/swtpm_localca', `create_certs_tool_config=${dir}/localca.conf`,
    `create_certs_tool_options=${dir}/localca.options`, 'active_pcr_banks=sha1,sha256,sha384'));
  await writeFile(join(dir, 'localca.conf'), lines(`statedir=${ca}`, `signingkey=${ca}/signkey.pem`, `issuercert=${ca}/issuercert.pem`, `certserial=${ca}/certserial`));
  await writeFile(join(dir, 'localca.options'), lines('--platform-manufacturer Acme', '--platform-version 1.0', '--platform-model Bed'));
  await run('swtpm_setup', ['--tpm2', '--tpmstate', dir, '--create-ek-cert', '--pcr-banks', 'sha1,sha256,sha384', '--config', join(dir, 'setup.conf'),
    '--logfile', join(dir, 'setup.log'), '--overwrite']);
}

async function serve(dir: string, port: number | undefined): Promise<ChildProcess> {
  const socket = join(dir, 's');
  await Promise.all([rm(socket, { force: true }), rm(`${socket}.ctrl`, { force: true })]);
  const where = port === undefined ? `type=unixio,path=${socket},mode=0600` : `type=tcp,port=${port}`;
  // Dies with us, however we die: a killed test run leaves no servers behind.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', 'swtpm', 'socket', '--tpm2', '--tpmstate', `dir=${dir}`, '--server', where, '--ctrl', `type=unixio,path=${socket}.ctrl,mode=0600`,
    '--flags', 'not-need-init,startup-clear', '--log', `file=${dir}/log,truncate`], { stdio: ['ignore', 'ignore', 'ignore'] });
  child.unref();
  const to = port === undefined ? { path: socket } : { port, host: '127.0.0.1' };
  for (let tries = 0; tries < 1000; tries++) {
    if (child.exitCode !== null) throw new Error(`swtpm ended with ${child.exitCode}: ${await readFile(join(dir, 'log'), 'utf8').catch(() => 'no log')}`);
    if (await answers(to)) return child;
    await sleep(5);
  }
  child.kill('SIGKILL');
  throw new Error(`swtpm in ${dir} does not listen`);
}

/** True once the server takes a connection; the connection is closed again before anybody else's. */
function answers(to: net.NetConnectOpts): Promise<boolean> {
  return new Promise((done) => {
    const probe = net.connect(to);
    probe.once('error', () => done(false));
    probe.once('connect', () => { probe.once('close', () => done(true)); probe.destroy(); });
  });
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const listener = net.createServer().once('error', fail).listen(0, '127.0.0.1', () => {
      const { port } = listener.address() as net.AddressInfo;
      listener.close(() => done(port));
    });
  });
}

/** One command on a connection of its own, below every client: what the tests of the client itself stand on. */
export function exchange(spec: string, command: Uint8Array): Promise<Buffer> {
  const [, kind, ...rest] = spec.split(':');
  const socket = net.connect(kind === 'unix' ? { path: rest.join(':') } : { host: rest[0] ?? '', port: Number(rest[1]) });
  return new Promise((done, fail) => {
    const parts: Buffer[] = [];
    socket.once('error', fail);
    socket.on('data', (part) => {
      parts.push(part);
      const all = Buffer.concat(parts);
      if (all.length >= 6 && all.length >= all.readUInt32BE(2)) { socket.once('close', () => done(all)); socket.destroy(); }
    });
    socket.write(command);
  });
}
