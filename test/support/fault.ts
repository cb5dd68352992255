import { Fault } from '../../src/base/fault.js';
import type { Code } from '../../src/codes.js';

/** The code of the fault that `run` throws, null when it throws none. What is no Fault is a bug and passes through. */
export function codeOf(run: () => unknown): Code | null {
  try {
    run();
    return null;
  } catch (error) {
    if (error instanceof Fault) return error.code;
    throw error;
  }
}
