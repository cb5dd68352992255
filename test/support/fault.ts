import { Fault } from '../../src/base/fault.js';
import type { Code } from '../../src/codes.js';

function faultOf(run: () => unknown): Fault | null {
  try {
    run();
    return null;
  } catch (error) {
    if (error instanceof Fault) return error;
    throw error;
  }
}

/** The code of the fault that `run` throws, null when it throws none. What is no Fault is a bug and passes through. */
export const codeOf = (run: () => unknown): Code | null => faultOf(run)?.code ?? null;
/** What it says. */
export const messageOf = (run: () => unknown): string | null => faultOf(run)?.message ?? null;
