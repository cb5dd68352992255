/**
 * The command line of a process. It is the process's own memory, so it is a hint that may be false: it picks among agents and lowers an appraisal,
 * nothing is permitted because of it.
 */
import { readProc } from './proc.js';

export interface CommandLine {
  /** Names of the options that stand before the program, without values. */
  readonly options: readonly string[];
  /** First argument that is no option: for an interpreter its program. An option's separate value counts as the program, so that none hides another. */
  readonly program: string | null;
}

export function parseCommandLine(raw: string): CommandLine {
  const [, ...args] = raw.split('\0');
  const at = args.findIndex((arg) => !arg.startsWith('-') && arg !== '');
  const options = (at < 0 ? args : args.slice(0, at)).map((arg) => arg.split(/[=:]/, 1)[0] ?? '').filter((name) => name !== '');
  return { options, program: args[at] ?? null };
}

export const readCommandLine = (proc: string): CommandLine => parseCommandLine(readProc(`${proc}/cmdline`, 'utf8'));
