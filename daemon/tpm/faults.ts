/** TPM errors as faults of this project: one table from what the TPM or its channel says to what the operator is told. */
import { ChannelError, type ChannelFault, RC, TpmError, WireError } from '@ari-sidecar/tpm2';
import { Fault, asFault } from '../../src/base/fault.js';
import type { Code } from '../../src/codes.js';

const OF_CHANNEL = {
  absent: 'tpm.absent', permission: 'tpm.absent', closed: 'tpm.absent', busy: 'tpm.busy', hung: 'tpm.hung', garbage: 'tpm.garbage',
} as const satisfies Record<ChannelFault, Code>;

const OF_RESPONSE = new Map<number, Code>([
  [RC.LOCKOUT, 'tpm.lockout'],
  [RC.OBJECT_MEMORY, 'tpm.busy'], [RC.SESSION_MEMORY, 'tpm.busy'], [RC.SESSION_HANDLES, 'tpm.busy'], [RC.RETRY, 'tpm.busy'],
  [RC.BAD_AUTH, 'tpm.auth'], [RC.AUTH_FAIL, 'tpm.auth'], [RC.NV_AUTHORIZATION, 'tpm.auth'], [RC.AUTH_UNAVAILABLE, 'tpm.auth'],
]);

/** Where the TPM is and how long it is waited for: what the sentences need. */
export interface Place { channel: string; deadlineMs: number }

/** True when the conversation with the TPM failed: then it is begun anew. Anything else thrown is not about the TPM. */
export const isTrouble = (error: unknown): boolean => error instanceof TpmError || error instanceof ChannelError || error instanceof WireError;

/** Any thrown thing of a TPM conversation as a fault. */
export function tpmFault(error: unknown, { channel, deadlineMs }: Place): Fault {
  if (error instanceof ChannelError) return new Fault(OF_CHANNEL[error.code], { channel, ms: deadlineMs, what: error.message }, error);
  if (error instanceof TpmError) {
    return new Fault(OF_RESPONSE.get(error.base) ?? 'tpm.refused', { what: error.message, command: error.command, rc: error.name }, error);
  }
  if (error instanceof WireError) return new Fault('tpm.garbage', { what: error.message }, error);
  return asFault(error);
}

/** True for a TPM's answer with this code, wherever in the command it points. */
export const answered = (error: unknown, ...codes: number[]): boolean => error instanceof TpmError && codes.includes(error.base);

/** True when the TPM refused an authorisation. */
export const refusedAuth = (error: unknown): boolean => answered(error, RC.BAD_AUTH, RC.AUTH_FAIL);

/** One line for logs, `hello` and the doctor: `tpm.hung: the TPM did not answer within 10000 ms`. */
export const reasonOf = (fault: Fault): string => `${fault.code}: ${fault.message}`.replace(/\p{Cc}+/gu, ' ').slice(0, 512);
