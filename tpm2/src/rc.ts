/** Response codes: Part 1 section 39 and Part 2 section 6.6. */
import { ERRORS, FORMAT_ONE, WARNINGS } from './rc-table.js';

/** Which of the command's handles, parameters or sessions was wrong, counted from 1. Null where the code does not say. */
export type Where = { readonly kind: 'handle' | 'parameter' | 'session'; readonly number: number } | null;

export interface ResponseCode {
  readonly code: number;
  /** The code without the number of handle, parameter or session: what is compared with `RC`. */
  readonly base: number;
  readonly name: `TPM_RC_${string}`;
  readonly meaning: string;
  readonly where: Where;
}

/** Codes that callers handle by name: `error.base === RC.LOCKOUT`. */
export const RC = {
  SUCCESS: 0, BAD_TAG: 0x1e, INITIALIZE: 0x100, FAILURE: 0x101, REBOOT: 0x130, COMMAND_CODE: 0x143, NV_LOCKED: 0x148, NV_AUTHORIZATION: 0x149,
  NV_UNINITIALIZED: 0x14a, NV_SPACE: 0x14b, NV_DEFINED: 0x14c, AUTH_TYPE: 0x124, AUTH_UNAVAILABLE: 0x12f, VALUE: 0x84, HANDLE: 0x8b, AUTH_FAIL: 0x8e, ATTRIBUTES: 0x82,
  SIGNATURE: 0x9b, POLICY_FAIL: 0x9d, INTEGRITY: 0x9f, TICKET: 0xa0, BAD_AUTH: 0xa2, POLICY_CC: 0xa4, OBJECT_MEMORY: 0x902, SESSION_MEMORY: 0x903, SESSION_HANDLES: 0x905,
  YIELDED: 0x908, CANCELED: 0x909, TESTING: 0x90a, REFERENCE_H0: 0x910, REFERENCE_S0: 0x918, NV_RATE: 0x920, LOCKOUT: 0x921, RETRY: 0x922, NV_UNAVAILABLE: 0x923,
} as const;

const FORMAT = 0x80;
const PARAMETER = 0x40;
const SESSION = 0x800;

/** Decodes any 32-bit response code. A layer number of a resource manager in the upper half is ignored, as in TPM_RC of the kernel's /dev/tpmrm0. */
export function decodeRc(code: number): ResponseCode {
  const rc = code & 0xfff;
  if (rc === 0) return { code, base: 0, name: 'TPM_RC_SUCCESS', meaning: 'done', where: null };
  if (rc === RC.BAD_TAG) return { code, base: rc, name: 'TPM_RC_BAD_TAG', meaning: 'the tag of the command is not one of a TPM 2.0 command', where: null };
  if ((rc & FORMAT) !== 0) {
    const base = rc & 0xbf;
    const kind = (rc & PARAMETER) !== 0 ? 'parameter' : (rc & SESSION) !== 0 ? 'session' : 'handle';
    const number = (rc >> 8) & (kind === 'parameter' ? 0xf : 0x7);
    return row(code, base, FORMAT_ONE[base & 0x3f], number === 0 ? null : { kind, number });
  }
  return row(code, rc, (rc & SESSION) !== 0 ? WARNINGS[rc & 0x7f] : (rc & 0x100) !== 0 ? ERRORS[rc & 0x7f] : undefined, referenced(rc));
}

/** REFERENCE_H0 to _H6 and _S0 to _S6 name the handle or session in the code itself. */
function referenced(rc: number): Where {
  if (rc >= RC.REFERENCE_H0 && rc < RC.REFERENCE_H0 + 7) return { kind: 'handle', number: rc - RC.REFERENCE_H0 + 1 };
  if (rc >= RC.REFERENCE_S0 && rc < RC.REFERENCE_S0 + 7) return { kind: 'session', number: rc - RC.REFERENCE_S0 + 1 };
  return null;
}

function row(code: number, base: number, known: readonly [string, string] | undefined, where: Where): ResponseCode {
  const [name, meaning] = known ?? [`UNKNOWN_${code.toString(16)}`, 'not a code of the specification; perhaps the vendor’s'];
  return { code, base, name: `TPM_RC_${name}`, meaning, where };
}

/** Warnings after which the very same bytes may be sent again: the command was not carried out and no session moved (Part 2 table 19). */
export function mayRepeat(code: number): boolean {
  return code === RC.RETRY || code === RC.YIELDED || code === RC.TESTING || code === RC.NV_RATE || code === RC.NV_UNAVAILABLE;
}
