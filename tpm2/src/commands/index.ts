import * as attestation from './attestation.js';
import * as nv from './nv.js';
import * as objects from './objects.js';
import * as policy from './policy.js';
import type { Command } from './row.js';
import * as tpm from './tpm.js';

export * from './attestation.js';
export * from './nv.js';
export * from './objects.js';
export * from './policy.js';
export * from './tpm.js';

/** Every command of this package, by code. */
export const COMMANDS: ReadonlyMap<number, Command> = new Map(
  [tpm, objects, policy, attestation, nv].flatMap((group) => Object.values(group) as unknown[]).filter(isCommand).map((row) => [row.code, row]),
);

function isCommand(row: unknown): row is Command {
  return typeof (row as Command).name === 'string' && typeof (row as Command).code === 'number';
}
