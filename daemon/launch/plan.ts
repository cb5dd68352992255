/** Command line and environment of a launched agent, by rule: nothing of the launcher's own that could bring in code. */
import { isRisky } from '../../attest/measure.js';
import { fault } from '../../src/base/fault.js';
import type { Agent } from '../ports.js';
import { executableOf } from './launches.js';

export interface Plan {
  readonly runtime: Agent['manifest']['value']['launch']['runtime'];
  readonly executable: string;
  /** The whole command line, the name of the program first. */
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

/** What a program needs to find its user's things and to speak her language. Everything else is given by name. */
const KEPT = /^(?:PATH|HOME|USER|LOGNAME|SHELL|LANG|LANGUAGE|LC_[A-Z]+|TZ|TERM|TMPDIR|XDG_[A-Z_]+)$/;

/** What keeps a runtime from being opened up from outside or from running files of its user's first. */
const CLOSED: Partial<Record<Plan['runtime'], Record<string, string>>> = { python: { PYTHONNOUSERSITE: '1', PYTHONDONTWRITEBYTECODE: '1', PYTHON_DISABLE_REMOTE_DEBUG: '1' } };

/**
 * `given` are `NAME=VALUE`, or `NAME` for the launcher's own value.
 * @throws Fault usage.wrong for a name through which code can be brought in, or that has no value
 */
export function planOf({ manifest: { value }, root }: Agent, args: readonly string[], given: readonly string[], own: Readonly<Record<string, string | undefined>>): Plan {
  const { entry, runtime } = value.launch;
  const executable = executableOf(value, root);
  const program = `${root}/${entry}`;
  const argv = runtime === 'native' ? [program, ...args] : runtime === 'jvm' ? [executable, '-jar', program, ...args] : [executable, program, ...args];
  const kept = Object.entries(own).flatMap(([name, content]): [string, string][] => (KEPT.test(name) && !isRisky(name, runtime) && content !== undefined ? [[name, content]] : []));
  return { runtime, executable, argv, env: Object.fromEntries([...kept, ...Object.entries(CLOSED[runtime] ?? {}), ...given.map((one) => variableOf(one, runtime, own))]) };
}

function variableOf(text: string, runtime: Parameters<typeof isRisky>[1], own: Readonly<Record<string, string | undefined>>): [string, string] {
  const [name = ''] = text.split('=', 1);
  const content = text.includes('=') ? text.slice(name.length + 1) : own[name];
  if (isRisky(name, runtime)) throw fault('usage.wrong', { what: `${name} can bring code into a ${runtime} agent` });
  if (name === '' || content === undefined) throw fault('usage.wrong', { what: `${text} has no value` });
  return [name, content];
}

/** The options of a command line as a measurement tells them. */
export const optionsOf = ({ argv }: Plan): string[] => (argv[1]?.startsWith('-') ? [argv[1]] : []);
