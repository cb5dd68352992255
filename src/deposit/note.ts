/**
 * Signed notes (c2sp.org/signed-note): UTF-8 text, a blank line, and one line "— name base64(key id || signature)" per signer. Ed25519 (type 0x01) only.
 * A note comes from strangers and is parsed before any signature is verified. Signatures of unknown keys are witnesses not known here: their lines must be
 * well-formed and are otherwise passed over. A signature that claims a known key and is wrong refuses the whole note.
 */
import { type KeyObject, createPrivateKey, createPublicKey, sign as signBytes, verify as verifyBytes } from 'node:crypto';
import { digest, equal } from '../base/bytes.js';
import { fault } from '../base/fault.js';

/** What a key signs: a note's text, or, as a witness, a note's text and the time. */
const ED25519 = 0x01;
export const COSIGNATURE = 0x04;
/** DER heads before the 32 bytes of an Ed25519 key (RFC 8410). */
const SPKI = Buffer.from('302a300506032b6570032100', 'hex');
const PKCS8 = Buffer.from('302e020100300506032b657004220420', 'hex');
/** Text of a checkpoint and 32 signature lines fit several times over. */
const MAX_CHARS = 65_536;
const MAX_SIGNATURES = 32;

const bad = (what: string): never => { throw fault('deposit.malformed', { what }); };

/** Canonical standard base64 (RFC 4648 section 4, padded); null for anything else. */
export function fromB64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}
export const toB64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64');

const isName = (name: string): boolean => name.length > 0 && name.length <= 256 && !/[\s+\p{Z}\p{Cc}]/u.test(name);

/** A log's public key. */
export interface NoteKey { readonly name: string; readonly keyId: Buffer; readonly key: KeyObject }
/** Whoever signs checkpoints. `sign` gives the 64 bytes of Ed25519 over the note's text; it is deterministic, so a note may be made again. */
export interface LogSigner { readonly origin: string; readonly keyId: Buffer; readonly vkey: string; readonly sign: (data: Uint8Array) => Uint8Array }

/** SHA-256(name || "\n" || type || public key)[:4]. */
const keyIdOf = (name: string, typed: Uint8Array): Buffer => digest(name, '\n', typed).subarray(0, 4);

/** The key of a log: `<name>+<key id, 8 hex>+<base64(0x01 || public key)>`. @throws Fault deposit.malformed */
export const parseVkey = (vkey: string): NoteKey => parseKey(vkey, ED25519);

/** A key of one type. @throws Fault deposit.malformed */
export function parseKey(vkey: string, type: typeof ED25519 | typeof COSIGNATURE): NoteKey {
  const [, name = '', keyId = '', text = ''] = /^([^+]*)\+([0-9a-f]{8})\+(.+)$/.exec(vkey) ?? [];
  const typed = fromB64(text);
  if (!isName(name) || typed?.length !== 33 || typed[0] !== type) return bad('a log key is written name+id+base64 and is Ed25519');
  if (keyIdOf(name, typed).toString('hex') !== keyId) return bad('the id of a log key is not that of the key');
  return { name, keyId: Buffer.from(keyId, 'hex'), key: createPublicKey({ key: Buffer.concat([SPKI, typed.subarray(1)]), format: 'der', type: 'spki' }) };
}

/** A signer from the 32 bytes of an Ed25519 seed. @throws Fault deposit.malformed */
export function logSigner(origin: string, seed: Uint8Array): LogSigner {
  if (!isName(origin)) return bad('the origin of a log holds neither spaces nor +');
  if (seed.length !== 32) return bad('an Ed25519 seed has 32 bytes');
  const key = createPrivateKey({ key: Buffer.concat([PKCS8, seed]), format: 'der', type: 'pkcs8' });
  const typed = Buffer.concat([Uint8Array.of(ED25519), createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(SPKI.length)]);
  const keyId = keyIdOf(origin, typed);
  return { origin, keyId, vkey: `${origin}+${keyId.toString('hex')}+${toB64(typed)}`, sign: (data) => signBytes(null, data, key) };
}

/** A note with one signature. `text` ends with a newline. */
export const signNote = (text: string, { origin, keyId, sign }: LogSigner): string =>
  `${text}\n— ${origin} ${toB64(Buffer.concat([keyId, sign(Buffer.from(text))]))}\n`;

interface Signature { readonly name: string; readonly keyId: Buffer; readonly bytes: Buffer }
/** A note taken apart and not verified. */
export interface UnverifiedNote { readonly text: string; readonly signatures: readonly Signature[] }

function parseSignature(line: string): Signature {
  const [, name = '', text = ''] = /^— (\S+) (\S+)$/u.exec(line) ?? [];
  const bytes = fromB64(text);
  if (!isName(name) || bytes === null || bytes.length < 5) return bad('a signature line is "— name base64"');
  return { name, keyId: bytes.subarray(0, 4), bytes: bytes.subarray(4) };
}

/** @throws Fault deposit.malformed */
export function splitNote(note: string): UnverifiedNote {
  if (note.length > MAX_CHARS || /(?!\n)\p{Cc}|\p{Cs}/u.test(note)) return bad('a note is plain text of bounded length');
  const at = note.lastIndexOf('\n\n');
  if (at <= 0 || !note.endsWith('\n')) return bad('a note is text, a blank line and signature lines');
  const lines = note.slice(at + 2, -1).split('\n');
  if (lines.length > MAX_SIGNATURES) return bad(`a note has at most ${MAX_SIGNATURES} signatures`);
  return { text: note.slice(0, at + 1), signatures: lines.map(parseSignature) };
}

const claims = (signature: Signature, key: NoteKey): boolean => signature.name === key.name && equal(signature.keyId, key.keyId);

/**
 * The text of a note and the key among `keys` that signed it, the first of those that did.
 * @throws Fault deposit.malformed; deposit.checkpoint when no known key signed, or one that is claimed did not
 */
export function openNote(note: string, keys: readonly NoteKey[]): { text: string; signer: NoteKey } {
  const { text, signatures } = splitNote(note);
  const claimed = signatures.flatMap((signature) => keys.filter((key) => claims(signature, key)).map((key) => ({ signature, key })));
  const ok = claimed.every(({ signature, key }) => verifyBytes(null, Buffer.from(text), key.key, signature.bytes));
  const [first] = claimed;
  if (first === undefined || !ok) throw fault('deposit.checkpoint');
  return { text, signer: first.key };
}
