/**
 * The kernel's logs of what was measured into the TPM before and beside us, for evidence: the firmware's boot log and the IMA list. They are sent as the
 * kernel gives them; whether they are true is the verifier's to say, from the quote.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { toB64u } from '../../src/base/bytes.js';
import type { PlatformEvidence } from '../../src/objects/evidence.js';

/** Where securityfs is mounted. */
export const SECURITYFS = '/sys/kernel/security';
/** What evidence can carry of each log: some hundred times a boot log, some four thousand IMA entries. */
export const LOG_BYTES = 786_432;
const CHUNK = 65_536;
const BOOT = 'tpm0/binary_bios_measurements';
const IMA = 'ima/binary_runtime_measurements';

/** Why a log is not sent. Both files belong to root (0440): CAP_DAC_READ_SEARCH reads them. */
export interface UnsentLog { readonly file: string; readonly why: string }
export interface KernelLogs extends Pick<PlatformEvidence, 'boot' | 'ima'> { readonly unsent: readonly UnsentLog[] }

/** Read after the quote, so that the IMA list holds all that the quote covers. @param ima false: PCR 10 was not quoted, and its list would prove nothing */
export async function readKernelLogs(dir: string, ima: boolean): Promise<KernelLogs> {
  const [boot, list] = await Promise.all([readLog(join(dir, BOOT)), ima ? readLog(join(dir, IMA)) : null]);
  return {
    boot: boot.data === null ? null : { format: 'tcg2-binary', data: toB64u(boot.data) },
    ima: list === null || list.data === null ? null : { format: 'ima-binary', from: 0, data: toB64u(list.data) },
    unsent: [boot, list].flatMap((log) => (log !== null && log.data === null ? [{ file: log.file, why: log.why }] : [])),
  };
}

type ReadLog = { readonly file: string } & ({ readonly data: Buffer } | { readonly data: null; readonly why: string });

async function readLog(file: string): Promise<ReadLog> {
  try {
    const handle = await open(file, 'r');
    const data = await readToEnd(handle).finally(() => handle.close());
    return data === null ? { file, data, why: `more than ${LOG_BYTES} bytes` } : { file, data };
  } catch (error) {
    return { file, data: null, why: (error as NodeJS.ErrnoException).code ?? 'error' };
  }
}

/** To the end, or null at the limit: files of securityfs say that they have no size. */
async function readToEnd(handle: FileHandle): Promise<Buffer | null> {
  const chunks: Buffer[] = [];
  for (let size = 0; size <= LOG_BYTES;) {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(CHUNK), 0, CHUNK, null);
    if (bytesRead === 0) return Buffer.concat(chunks);
    chunks.push(buffer.subarray(0, bytesRead));
    size += bytesRead;
  }
  return null;
}
