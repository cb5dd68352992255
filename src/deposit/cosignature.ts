/**
 * Cosignatures of witnesses (c2sp.org/tlog-cosignature, Ed25519, type 0x04): each says that, at its time, this was the longest log it had seen under this
 * name and that it only ever grew. A log that shows two faces needs witnesses who lie with it.
 */
import { verify as verifyBytes } from 'node:crypto';
import { equal } from '../base/bytes.js';
import { fault } from '../base/fault.js';
import { COSIGNATURE, type NoteKey, parseKey, splitNote } from './note.js';

/** `<name>+<key id>+<base64(0x04 || public key)>`. @throws Fault deposit.malformed */
export const parseWitness = (vkey: string): NoteKey => parseKey(vkey, COSIGNATURE);

/** `timeS`: when the witness signed. */
export interface Cosignature { readonly name: string; readonly timeS: number }

const TIMED = 8 + 64;

/**
 * The cosignatures of known witnesses on a note; lines of others are passed over.
 * @throws Fault deposit.malformed; deposit.checkpoint when one claims a known witness and is wrong
 */
export function cosignatures(note: string, witnesses: readonly NoteKey[]): Cosignature[] {
  const { text, signatures } = splitNote(note);
  return signatures.flatMap(({ name, keyId, bytes }) => {
    const key = witnesses.find((witness) => witness.name === name && equal(witness.keyId, keyId));
    return key ? [cosigned(text, key, bytes)] : [];
  });
}

function cosigned(text: string, { name, key }: NoteKey, bytes: Buffer): Cosignature {
  const time = bytes.length === TIMED ? bytes.readBigUInt64BE(0) : -1n;
  const ok = time >= 0n && time <= BigInt(Number.MAX_SAFE_INTEGER) && verifyBytes(null, Buffer.from(`cosignature/v1\ntime ${time}\n${text}`), key, bytes.subarray(8));
  if (!ok) throw fault('deposit.checkpoint');
  return { name, timeS: Number(time) };
}

/** A note with one more signature line. */
export const withLine = (note: string, line: string): string => `${note}${line}\n`;
