/**
 * The software TPM of the tests: the package's own, `@ari-sidecar/tpm2/swtpm`, manufactured once in a run of the tests. The n-th TPM that a file starts is a copy
 * of the n-th one in the run's folder, before its first use: those of one file are different TPMs with different authorities, and no file sees what another did.
 * Where there is no such folder (`ARI_TEST_TPMS`) each is manufactured anew.
 */
import { existsSync, rmSync } from 'node:fs';
import { cp, mkdtemp, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { exchange, type Swtpm, type SwtpmOptions, startSwtpm as start } from '../../src/swtpm/index.js';

export * from '../../src/swtpm/index.js';

const RUN = process.env['ARI_TEST_TPMS'];
const STATE = 'tpm2-00.permall';
/** TPM2_Shutdown(CLEAR): the next Startup finds an orderly TPM, as after its manufacture. */
const SHUTDOWN = Buffer.from('80010000000c000001450000', 'hex');
let started = 0;

export async function startSwtpm(options: SwtpmOptions = {}): Promise<Swtpm> {
  const { dir: given, ecCertificate = false } = options;
  if (RUN === undefined || options.ca !== undefined || (given !== undefined && existsSync(join(given, STATE)))) return start(options);
  const made = join(RUN, `${++started}${ecCertificate ? '-ec' : ''}`);
  if (!existsSync(made)) await manufacture(RUN, made, ecCertificate);
  const dir = given ?? await mkdtemp(join(tmpdir(), 'swtpm-'));
  for (const part of [STATE, 'ca']) await cp(join(made, part), join(dir, part), { recursive: true });
  const tpm = await start({ ...options, dir });
  return given === undefined ? removed(tpm) : tpm;
}

/** Two files may make the same one at once: the first to be ready is the one. */
async function manufacture(run: string, made: string, ecCertificate: boolean): Promise<void> {
  const dir = await mkdtemp(join(run, 'making-'));
  const tpm = await start({ dir, ecCertificate });
  await exchange(tpm.spec, SHUTDOWN);
  await tpm.stop();
  await rename(dir, made).catch(() => rm(dir, { recursive: true }));
}

/** Its folder is gone when it is stopped, or this process ends. */
function removed(tpm: Swtpm): Swtpm {
  const { dir, stop } = tpm;
  const atExit = (): void => rmSync(dir, { recursive: true, force: true });
  process.on('exit', atExit);
  return Object.assign(tpm, { stop: async () => { await stop(); process.off('exit', atExit); atExit(); } });
}
