/** What a call refuses with: the code of the fault it throws. Anything else that is thrown is a bug and rises. */
import { Fault } from '../../src/base/fault.js';
import type { Code } from '../../src/codes.js';

export function codeOf(call: () => unknown): Code | 'nothing was thrown' {
  try {
    call();
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
  return 'nothing was thrown';
}

export async function codeOfAsync(call: () => Promise<unknown>): Promise<Code | 'nothing was thrown'> {
  try {
    await call();
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
  return 'nothing was thrown';
}
