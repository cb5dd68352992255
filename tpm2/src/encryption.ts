/** Encryption of the first parameter: Part 1 section 21. AES-128-CFB, the symmetric definition that startSession asks for. */
import { createCipheriv, createDecipheriv } from 'node:crypto';
import { kdfA } from './kdf.js';
import type { Session } from './session.js';

/** Encrypts (towards the TPM) or decrypts (from it) the TPM2B that `parameters` begin with; its size stays in clear. */
export function cryptParameter(session: Session, authValue: Uint8Array, parameters: Buffer, direction: 'command' | 'response'): Buffer {
  const [newer, older] = direction === 'command' ? [session.nonceCaller, session.nonceTPM] : [session.nonceTPM, session.nonceCaller];
  const material = kdfA(session.hash, session.value(authValue), 'CFB', newer, older, 256);
  const make = direction === 'command' ? createCipheriv : createDecipheriv;
  const cipher = make('aes-128-cfb', material.subarray(0, 16), material.subarray(16, 32));
  const end = parameters.length < 2 ? 0 : 2 + parameters.readUInt16BE(0);
  if (end === 0 || end > parameters.length) return parameters;
  return Buffer.concat([parameters.subarray(0, 2), cipher.update(parameters.subarray(2, end)), parameters.subarray(end)]);
}
