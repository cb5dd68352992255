/**
 * The attestation key: restricted, fixed to this TPM, a child of the EK with a random secret authValue.
 *
 * A primary key would be derived again by any local process from its template, and an empty authValue would let any process that may open the TPM
 * sign as this device. So the key is created under the EK, its authValue is durable before the key exists, and its private blob before it is made
 * persistent: a crash at any point is finished at the next start. The file's states: absent; creating (`key` null); ready.
 */
import { randomBytes, type KeyObject } from 'node:crypto';
import { join } from 'node:path';
import {
  ChannelError, Create, EvictControl, HT, type Hmac, Load, Public, Quote, RC, RH, type Signature, type SignatureScheme, type Tpm, decode, encode, handleType, hmac, nameOf,
  publicKeyOf, templates, verifySignature,
} from '@ari-sidecar/tpm2';
import { z } from 'zod';
import { fromB64u, toB64u } from '../../src/base/bytes.js';
import { b64u, record, type Of } from '../../src/base/shape.js';
import { readState, writeState } from '../state.js';
import { EK_KINDS, type EkPlace, chooseEk, findPersistent, handlesFrom, hasP256, hierarchy, withEk } from './endorsement.js';
import { answered, refusedAuth } from './faults.js';
import type { Log } from './types.js';

const NONE = Buffer.alloc(0);
/** Where the key is made persistent: the first free handle from here on; below are those of the TCG (Registry of Reserved TPM 2.0 Handles). */
const FIRST_HANDLE = 0x8102a710;
/** The TPM's own key scheme. */
const KEY_SCHEME = { scheme: 'null' } as const;

const identityState = record({
  v: z.literal('ari-ak-1'),
  ek: z.enum(EK_KINDS),
  auth: b64u(32),
  key: record({ ekPublic: b64u(1024), public: b64u(1024), private: b64u(1024) }).nullable(),
});
type IdentityState = Of<typeof identityState>;
type Key = NonNullable<IdentityState['key']>;

/** Authorisations of the owner and endorsement hierarchies: empty unless the administrator set them. */
export interface HierarchyAuths { owner: Uint8Array; endorsement: Uint8Array }

export interface Identity {
  readonly ek: EkPlace;
  readonly ekPublic: Public;
  readonly publicArea: Public;
  readonly name: Buffer;
  readonly publicKey: KeyObject;
  readonly scheme: SignatureScheme;
  /** The key as an entity of commands, with its Name and the proof of its authValue: the value itself never crosses the bus. */
  readonly ak: { readonly handle: number; readonly name: Buffer; readonly auth: Hmac };
  /** False when it could not be made persistent, and is loaded anew at each start. */
  readonly persistent: boolean;
}

interface Room { tpm: Tpm; path: string; auths: HierarchyAuths; log: Log }

const bytes = (text: string): Buffer => fromB64u(text) ?? NONE;

/** Finds this device's attestation key, or makes one. A key that the TPM no longer takes (it was cleared) is replaced: the device must enrol again. */
export async function openIdentity(tpm: Tpm, stateDir: string, auths: HierarchyAuths, log: Log): Promise<Identity> {
  const room = { tpm, path: join(stateDir, 'ak.json'), auths, log };
  const known = await readState(room.path, identityState);
  const found = known?.key ? await reload(room, known, known.key) : null;
  if (known?.key && !found) log.warn({ event: 'identity_lost' }, 'the TPM no longer takes the attestation key: a new one is made, enrol this device again');
  return found ?? create(room, known?.key === null ? known : null);
}

async function create(room: Room, begun: IdentityState | null): Promise<Identity> {
  const { tpm, path, auths } = room;
  const state: IdentityState = begun ?? { v: 'ari-ak-1', ek: await chooseEk(tpm), auth: toB64u(randomBytes(32)), key: null };
  await writeState(path, identityState, state);
  const template = (await hasP256(tpm)) ? templates.akP256 : templates.akRsa2048;
  const key = await withEk(tpm, { kind: state.ek, auth: auths.endorsement, name: null }, (ek) => ek.authorised(async (parent) => {
    const inSensitive = { userAuth: bytes(state.auth), data: NONE };
    const made = await tpm.run(Create, { parentHandle: parent }, { inSensitive, inPublic: template, outsideInfo: NONE, creationPCR: [] });
    return { ekPublic: toB64u(encode(Public, ek.publicArea)), public: toB64u(encode(Public, made.outPublic)), private: toB64u(made.outPrivate) };
  }));
  const ready = { ...state, key };
  await writeState(path, identityState, ready);
  const identity = await reload(room, ready, key);
  if (!identity) throw new ChannelError('garbage', 'the TPM refuses the key that it has just made');
  return identity;
}

/** The key of the state file in the TPM; null when this TPM takes neither its blob nor its authValue. */
async function reload(room: Room, state: IdentityState, key: Key): Promise<Identity | null> {
  const publicArea = decode(Public, bytes(key.public));
  const ekPublic = decode(Public, bytes(key.ekPublic));
  const name = nameOf(publicArea);
  const ek = { kind: state.ek, auth: room.auths.endorsement, name: nameOf(ekPublic) };
  const loaded = (await findPersistent(room.tpm, name))?.handle ?? (await load(room, ek, key));
  if (loaded === null) return null;
  const handle = handleType(loaded) === HT.TRANSIENT ? await persist(room, { handle: loaded, name }) : loaded;
  const scheme = { sigAlg: publicArea.type === 'rsa' ? 'rsassa' : 'ecdsa', hash: 'sha256' } as const;
  const ak = { handle, name, auth: hmac(bytes(state.auth)) };
  const identity = { ek, ekPublic, publicArea, name, publicKey: publicKeyOf(publicArea), scheme, ak, persistent: handleType(handle) === HT.PERSISTENT };
  return (await signs(room.tpm, identity)) ? identity : null;
}

async function load({ tpm }: Room, place: EkPlace, key: Key): Promise<number | null> {
  try {
    return await withEk(tpm, place, (ek) => ek.authorised(async (parent) => {
      const params = { inPrivate: bytes(key.private), inPublic: decode(Public, bytes(key.public)) };
      return (await tpm.run(Load, { parentHandle: parent }, params)).objectHandle;
    }));
  } catch (error) {
    if (answered(error, RC.INTEGRITY)) return null;
    throw error;
  }
}

/** Makes a loaded key persistent at a free handle. Where owner or NV memory do not allow it, it stays loaded for the life of the process. */
async function persist({ tpm, auths, log }: Room, transient: { handle: number; name: Buffer }): Promise<number> {
  const taken = new Set(await handlesFrom(tpm, 0x81000000));
  let handle = FIRST_HANDLE;
  while (taken.has(handle)) handle++;
  try {
    await tpm.run(EvictControl, { auth: hierarchy(RH.OWNER, auths.owner), objectHandle: transient }, { persistentHandle: handle });
  } catch (error) {
    if (!refusedAuth(error) && !answered(error, RC.NV_SPACE)) throw error;
    log.info({ event: 'ak_transient' }, 'the attestation key cannot be made persistent: it is loaded at each start');
    return transient.handle;
  }
  await tpm.flush(transient.handle);
  return handle;
}

/** Lets the key sign once, over nothing but a challenge. False when the authValue of the state file is not the key's. */
async function signs(tpm: Tpm, { ak, publicKey, scheme }: Identity): Promise<boolean> {
  let answer: { quoted: Buffer; signature: Signature };
  try {
    answer = await tpm.run(Quote, { signHandle: ak }, { qualifyingData: randomBytes(32), inScheme: KEY_SCHEME, PCRselect: [] });
  } catch (error) {
    if (refusedAuth(error)) return false;
    throw error;
  }
  if (!verifySignature(publicKey, answer.quoted, answer.signature, scheme)) throw new ChannelError('garbage', 'the signature of the attestation key is wrong');
  return true;
}
