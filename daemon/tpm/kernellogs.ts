/**
 * The kernel's logs of what was measured into the TPM before and beside us, for evidence: the firmware's boot log and the IMA list. They are sent as the
 * kernel gives them; whether they are true is the verifier's to say, from the quote.
 *
 * The IMA list grows as long as the machine runs. Of it a process reads, and holds, only what follows a byte that the verifier named. To find that byte the
 * kernel makes the list up again from its beginning (seq_file has no index): of another such file, 122,000 lines long, the last 1,000 bytes take 0.6 of the
 * time of all.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { toB64u } from '../../src/base/bytes.js';
import type { LinkBody } from '../../src/link.js';
import { IMA_LIST_BYTES, IMA_PART_BYTES, type PlatformEvidence } from '../../src/objects/evidence.js';

/** Where securityfs is mounted. */
export const SECURITYFS = '/sys/kernel/security';
/** What evidence can carry of each log: some hundred times a boot log, some six thousand IMA entries. */
export const LOG_BYTES = IMA_PART_BYTES;
const CHUNK = 65_536;
const BOOT = 'tpm0/binary_bios_measurements';
const IMA = 'ima/binary_runtime_measurements';
/** The IMA list of a machine whose securityfs is here. */
export const imaListIn = (dir: string): string => join(dir, IMA);

/** A place in the IMA list: entries before it, and their bytes. The verifier names it. */
export type ImaPlace = LinkBody<'ima'>;
export const IMA_START: ImaPlace = { entries: 0, bytes: 0 };

/** Why a log is not sent. Both files belong to root (0440): CAP_DAC_READ_SEARCH reads them. */
export interface UnsentLog { readonly file: string; readonly why: string }
export interface KernelLogs extends Pick<PlatformEvidence, 'boot' | 'ima'> { readonly unsent: readonly UnsentLog[] }

/**
 * Read after the quote, so that the IMA list holds all that the quote covers.
 * @param ima where the part of the IMA list begins; null: PCR 10 was not quoted, and its list would prove nothing
 */
export async function readKernelLogs(dir: string, ima: ImaPlace | null): Promise<KernelLogs> {
  const [boot, list] = await Promise.all([readLog(join(dir, BOOT), 0, LOG_BYTES), ima && readLog(imaListIn(dir), ima.bytes, Math.min(LOG_BYTES, IMA_LIST_BYTES - ima.bytes))]);
  return {
    boot: boot.data === null ? null : { format: 'tcg2-binary', data: toB64u(boot.data) },
    ima: ima === null || list === null || list.data === null ? null : { format: 'ima-binary', from: ima.entries, data: toB64u(list.data) },
    unsent: [boot, list].flatMap((log) => (log !== null && log.data === null ? [{ file: log.file, why: log.why }] : [])),
  };
}

/** The next piece of an IMA list of which more is left than evidence can carry; null when less is, and when the list is longer than anyone is shown. */
export async function readImaPiece(dir: string, { entries, bytes }: ImaPlace): Promise<LinkBody<'ima_append'> | null> {
  try {
    const handle = await open(imaListIn(dir), 'r');
    try {
      if ((await readAt(handle, IMA_LIST_BYTES, 1)).length > 0) return null;
      const data = await readAt(handle, bytes, LOG_BYTES + 1);
      return data.length <= LOG_BYTES ? null : { from: entries, data: toB64u(data.subarray(0, LOG_BYTES)) };
    } finally {
      await handle.close();
    }
  } catch {
    return null;
  }
}

type ReadLog = { readonly file: string } & ({ readonly data: Buffer } | { readonly data: null; readonly why: string });

async function readLog(file: string, from: number, most: number): Promise<ReadLog> {
  try {
    const handle = await open(file, 'r');
    const data = await readAt(handle, from, most + 1).finally(() => handle.close());
    return data.length > most ? { file, data: null, why: `more than ${most} bytes` } : { file, data };
  } catch (error) {
    return { file, data: null, why: (error as NodeJS.ErrnoException).code ?? 'error' };
  }
}

/** At most so many bytes from a place on: files of securityfs say that they have no size. */
async function readAt(handle: FileHandle, from: number, most: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for (let size = 0; size < most;) {
    const want = Math.min(CHUNK, most - size);
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(want), 0, want, from + size);
    if (bytesRead === 0) break;
    chunks.push(buffer.subarray(0, bytesRead));
    size += bytesRead;
  }
  return Buffer.concat(chunks);
}
