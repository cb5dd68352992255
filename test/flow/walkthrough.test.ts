/** The walk-through of the README, run as it stands by a shell, with a software TPM where the text says $TPM. */
import { type ChildProcess, spawn } from 'node:child_process';
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { startSwtpm, type Swtpm } from '../../tpm2/test/support/swtpm.js';
import { ARI } from '../../cli/demo/processes.js';
import { bootFirmware } from '../../cli/demo/firmware.js';

let dir: string;
let tpm: Swtpm;
let shell: ChildProcess | undefined;
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ari-walk-'));
  tpm = await startSwtpm({ ecCertificate: true });
  await bootFirmware(tpm.spec);
}, 30_000);
afterAll(async () => {
  if (shell?.pid !== undefined && shell.exitCode === null) process.kill(-shell.pid, 'SIGKILL');
  await tpm.stop();
  await rm(dir, { recursive: true, force: true });
});

const freePort = (): Promise<number> => new Promise((done) => {
  const server = createServer().listen(0, '127.0.0.1', () => {
    const { port } = server.address() as { port: number };
    server.close(() => done(port));
  });
});

/** The commands of the README; what it leaves to the reader's patience (a service is up) is waited for. */
async function script(): Promise<string> {
  const readme = await readFile('README.md', 'utf8');
  const [, block = ''] = /<!-- walkthrough:begin -->\n```sh\n([\s\S]*?)```/.exec(readme) ?? [];
  const waits = block
    .replace(/^(ari verifier serve .*&)$/m, '$1\nuntil ari carrier show none -u http://127.0.0.1:8443 --admin-token-file verifier/admin-token 2>&1 | grep -q intake.not_found; do sleep 0.2; done')
    .replace(/^(ari daemon .*&)$/m, '$1\nuntil ari status --socket device/agent.sock --json 2>/dev/null | grep -q \'"connected":true\'; do sleep 0.2; done')
    .replace(/^(ari mandate create .*)$/m, '$1\nuntil ari status --socket device/agent.sock --json | grep -q \'"mandates":1\'; do sleep 0.2; done');
  return `set -eu\nexport PATH=$PWD/bin:$PATH\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n${waits.replaceAll('8443', String(await freePort()))}`;
}

it('works from nothing to a receipt', async () => {
  await cp('examples/florist', join(dir, 'agent'), { recursive: true });
  await mkdir(join(dir, 'bin'));
  await writeFile(join(dir, 'bin', 'ari'), `#!/bin/sh\nexec ${JSON.stringify(process.execPath)} ${JSON.stringify(ARI)} "$@"\n`, { mode: 0o755 });
  await writeFile(join(dir, 'test-root.pem'), tpm.caRootPem + tpm.caIssuerPem);
  const running = shell = spawn('bash', ['-c', await script()], { cwd: dir, env: { ...process.env, TPM: tpm.spec }, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  let said = '';
  running.stdout.on('data', (data: Buffer) => { said += data.toString(); });
  running.stderr.on('data', (data: Buffer) => { said += data.toString(); });
  const status = await new Promise((done) => running.once('close', done));
  expect(status, said).toBe(0);
  const { body } = JSON.parse(await readFile(join(dir, 'answer.json'), 'utf8')) as { body: { state: string; tier: string } };
  expect(body).toMatchObject({ state: 'settled', tier: 'T2' });
  expect(said).toContain('872.00 CNY');
}, 120_000);
