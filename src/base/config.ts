/** Configuration as data: one closed shape per process, every error at once with its path, unknown keys refused. Reading the file is the process's own. */
import { z } from 'zod';
import { fault } from './fault.js';

/** @throws Fault config.invalid naming every wrong key of the file */
export function configOf<S extends z.ZodType>(shape: S, data: unknown, file: string): z.output<S> {
  const result = shape.safeParse(data);
  if (result.success) return result.data;
  const wrong = result.error.issues.map((issue) => `${issue.path.join('.') || 'the file'}: ${issue.message.replace(/^Invalid input: expected .*, received undefined$/, 'is missing')}`);
  throw fault('config.invalid', { file, what: wrong.length === 1 ? wrong[0] ?? '' : wrong.map((line) => `\n  ${line}`).join('') });
}
