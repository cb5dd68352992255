/** Where a TPM is reached. A channel is one method: bytes in, bytes out. */
import { ChannelError, type ChannelFault } from '../errors.js';

export interface Channel {
  /**
   * Sends one command and gives the whole response, of which only the size was checked. One call at a time: a queue's business.
   * After `deadlineMs` without an answer the connection is given up, because a late answer would be taken for the next command's; the next call opens a new one.
   * @throws ChannelError
   */
  send(command: Uint8Array, deadlineMs?: number): Promise<Buffer>;
  close(): Promise<void>;
  /** True where a kernel resource manager stands in between: then objects and sessions end with the connection, and those of others are out of reach. */
  readonly shared: boolean;
  /** True where what a predecessor left may be flushed: swtpm's channels. What is listed on a raw /dev/tpm0 belongs to others. */
  readonly sweepable: boolean;
  /** How often a connection was lost. When it moved, sessions are gone and a command may have been carried out unseen. */
  readonly losses: number;
}

export const DEFAULT_DEADLINE_MS = 30_000;
const FAULT_OF: Readonly<Record<string, ChannelFault>> = {
  ENOENT: 'absent', ENODEV: 'absent', ENXIO: 'absent', ENOTDIR: 'absent', ECONNREFUSED: 'absent', ENOTSOCK: 'absent', ENOTFOUND: 'absent', EHOSTUNREACH: 'absent',
  EACCES: 'permission', EPERM: 'permission', EBUSY: 'busy', EAGAIN: 'busy', ETIME: 'hung', ETIMEDOUT: 'hung',
};

/** A system error as a ChannelError; what has no name of its own counts as a lost connection. */
export function channelError(where: string, cause: unknown): ChannelError {
  if (cause instanceof ChannelError) return cause;
  const { code, message } = cause as NodeJS.ErrnoException;
  const fault = FAULT_OF[code ?? ''] ?? 'closed';
  const says = { absent: 'no TPM there', permission: 'no permission to open the TPM', busy: 'the TPM is held by somebody else', hung: 'the TPM does not answer' };
  return new ChannelError(fault, `${where}: ${fault === 'closed' || fault === 'garbage' ? 'the connection ended' : says[fault]} (${message})`, { cause });
}
