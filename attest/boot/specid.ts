/** TCG_EfiSpecIDEvent, Platform Firmware Profile section 10.4.5.1: which banks an agile log has, and how long their digests are. */
import { ALG, HASH_SIZE, type HashAlg } from '@ari-sidecar/tpm2';
import { Cursor } from '../cursor.js';

export const SPEC_ID = Buffer.from('Spec ID Event03\0', 'latin1');

/** `hash` is null for an algorithm that is unknown here: its digests are passed over. */
export interface Bank { readonly alg: number; readonly hash: HashAlg | null; readonly size: number }

/** No TPM has more banks than there are hash algorithms in the registry. */
const MAX_BANKS = 16;
const MAX_DIGEST_BYTES = 64;
const HASHES = new Map((Object.keys(HASH_SIZE) as HashAlg[]).map((hash) => [ALG[hash] as number, hash]));

/** @param offset of the event's data in the log. @throws Fault boot.malformed */
export function readSpecId(data: Buffer, offset: number): Bank[] {
  const cursor = new Cursor(data, 'boot.malformed', offset);
  cursor.take(SPEC_ID.length, 'the signature');
  cursor.u32('the platform class');
  const [minor, major] = [cursor.u8('the minor version'), cursor.u8('the major version')];
  if (major !== 2 || minor !== 0) cursor.fail(`version ${major}.${minor} where 2.0 must be`, cursor.pos - 2);
  cursor.take(2, 'errata and size of UINTN');
  const count = cursor.u32('the count of algorithms');
  if (count === 0 || count > MAX_BANKS) cursor.fail(`${count} digest algorithms`, cursor.pos - 4);
  return Array.from({ length: count }, () => readBank(cursor)).map((bank, i, all) => {
    if (all.findIndex(({ alg }) => alg === bank.alg) !== i) cursor.fail(`digest algorithm 0x${bank.alg.toString(16)} is declared twice`);
    return bank;
  });
}

function readBank(cursor: Cursor): Bank {
  const alg = cursor.u16('a digest algorithm');
  const size = cursor.u16('a digest size');
  const hash = HASHES.get(alg) ?? null;
  if (size === 0 || size > MAX_DIGEST_BYTES || (hash !== null && HASH_SIZE[hash] !== size)) cursor.fail(`algorithm 0x${alg.toString(16)} with digests of ${size} bytes`, cursor.pos - 2);
  return { alg, hash, size };
}
