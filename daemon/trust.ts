/** The verifier's public keys, from the file that the operator named: with them every word of the verifier is checked. */
import { readFileSync } from 'node:fs';
import { fault } from '../src/base/fault.js';
import { parse } from '../src/base/shape.js';
import { type Trust, trustFile, trustOf } from '../src/objects/trust.js';

/** Trust material, and the issuer name of the verifier: the audience of every binding. */
export interface DeviceTrust extends Trust { readonly aud: string }

/** @throws Fault config.unreadable, config.invalid when no verifier key is in it */
export function loadTrust(file: string): DeviceTrust {
  const value = parse(trustFile, readText(file), 'keys');
  const issuer = value.keys.find((key) => key.ariRole === 'verifier')?.ariSub;
  if (issuer === undefined) throw fault('config.invalid', { file, what: 'no key of role verifier is in it' });
  return { ...trustOf(value), aud: issuer };
}

export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw fault('config.unreadable', { file, what: (cause as NodeJS.ErrnoException).code ?? 'error' });
  }
}
