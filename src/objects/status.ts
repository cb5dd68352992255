/**
 * Token Status Lists (draft-ietf-oauth-status-list): two bits for each carrier, mandate and device, in one signed token that anyone may fetch and keep, so
 * that nobody learns whose standing was asked for. A token says with `status` where its own bits are.
 */
import { z } from 'zod';
import { fromB64u, toB64u } from '../base/bytes.js';
import { Fault, fault } from '../base/fault.js';
import { type Signer, splitJws } from '../base/jws.js';
import { type Of, b64u, count, record, seconds, url } from '../base/shape.js';
import { ROLES } from '../names.js';
import { open, seal, signedKind } from './signed.js';
import type { Trust } from './trust.js';

export const STATUS_VALUES = { valid: 0, invalid: 1, suspended: 2 } as const;
export type StatusValue = (typeof STATUS_VALUES)[keyof typeof STATUS_VALUES];

/** `status` of a token: its place in the list at `uri`. */
export const statusReference = record({ statusList: record({ idx: count, uri: url }) });
export type StatusReference = Of<typeof statusReference>;

/** Bytes of a list at most: 16 million tokens. Compressed they may be a thousand times fewer, so the limit stands where it is inflated. */
const LIST_BYTES = 4_194_304;
const DEFLATED_BYTES = 1_048_576;
const PER_BYTE = 4;

export const statusList = record({
  iss: url,
  sub: url,
  iat: seconds,
  exp: seconds,
  /** Seconds for which a copy may be used before a newer one is fetched. */
  ttl: z.int().min(1),
  statusList: record({ bits: z.literal(2), lst: b64u(DEFLATED_BYTES) }),
});
export type StatusList = Of<typeof statusList>;
export const STATUS_LIST_TYP = 'statuslist+jwt';
/** Who signs: the role that issues the token, or, for a mandate, registers it. */
const KINDS = { verifier: signedKind(STATUS_LIST_TYP, 'verifier', statusList), carrier: signedKind(STATUS_LIST_TYP, 'carrier', statusList) } as const;
type ListRole = keyof typeof KINDS;

/** One list for each kind of token. `n` stands in its address, `/status/N`. */
export const STATUS_LISTS = { carrier: { n: '1', role: 'carrier' }, mandate: { n: '2', role: 'verifier' }, device: { n: '3', role: 'verifier' } } as const satisfies Record<string, { n: string; role: ListRole }>;
export type Listed = keyof typeof STATUS_LISTS;

/** ZLIB (RFC 1950). `inflate` throws when more than `max` bytes come out. */
export type Deflate = (bytes: Uint8Array) => Uint8Array;
export type Inflate = (bytes: Uint8Array, max: number) => Uint8Array;

/** The bits of a list, least significant first. What was never given out is valid, and its number is padded so that it says little. */
export function packStatuses(rows: readonly { readonly idx: number; readonly value: StatusValue }[], deflate: Deflate): string {
  const length = rows.reduce((longest, { idx }) => Math.max(longest, idx + 1), 0);
  const bytes = Buffer.alloc(paddedTo(Math.ceil(length / PER_BYTE)));
  for (const { idx, value } of rows) bytes[Math.floor(idx / PER_BYTE)]! |= value << (2 * (idx % PER_BYTE));
  return toB64u(deflate(bytes));
}

/** The next power of two, 256 at least. */
const paddedTo = (bytes: number): number => { let size = 256; while (size < bytes) size *= 2; return size; };

/** Signs a list. @returns the compact token */
export const sealStatusList = (role: ListRole, value: StatusList, signer: Signer): string => seal(KINDS[role], value, signer);

/** `at`: null for a place that the list does not have, and for a value that nobody here gives. */
export interface OpenedList { readonly role: ListRole; readonly uri: string; readonly iss: string; readonly iat: number; at(idx: number): keyof typeof STATUS_VALUES | null }

/** @throws Fault token.*, status.malformed; status.stale after its end */
export function openStatusList(token: string, { keys, owner }: Pick<Trust, 'keys' | 'owner'>, { inflate, nowS }: { inflate: Inflate; nowS: number }): OpenedList {
  const role = splitJws(token).kid.startsWith(`${ROLES.carrier}-`) ? 'carrier' : 'verifier';
  const { value: { sub, iss, iat, exp, statusList: { lst } }, signer } = open(KINDS[role], token, keys);
  if (owner(signer.kid) !== iss) throw fault('token.signature', { typ: STATUS_LIST_TYP });
  if (nowS >= exp) throw fault('status.stale', { uri: sub });
  const bytes = inflated(lst, inflate);
  return {
    role, uri: sub, iss, iat,
    at(idx) {
      const value = idx < bytes.length * PER_BYTE ? (bytes[Math.floor(idx / PER_BYTE)]! >> (2 * (idx % PER_BYTE))) & 3 : 3;
      return NAMES[value] ?? null;
    },
  };
}
const NAMES: readonly (keyof typeof STATUS_VALUES)[] = ['valid', 'invalid', 'suspended'];

function inflated(lst: string, inflate: Inflate): Uint8Array {
  try {
    return inflate(fromB64u(lst) ?? Buffer.alloc(0), LIST_BYTES);
  } catch (cause) {
    throw new Fault('status.malformed', { what: 'its bits cannot be inflated, or are too many' }, cause);
  }
}
