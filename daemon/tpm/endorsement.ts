/**
 * The endorsement key of this device: which of the TCG's it is, its certificate, and its use. It is derived anew from the TPM's seed by its template,
 * or found persistent, and authorised by policy only.
 */
import {
  type Auth, type EkKind, type Entity, GetCapability, NV_ReadPublic, type NvPublic, type Public, RC, ReadPublic, type Tpm, TpmError, createEk, hmac, nameOf,
  readEkCertificate, readNv, withEkSession,
} from '@ari-sidecar/tpm2';
import { cutCertificate, cutChain } from '../../attest/x509/nv.js';
import { Fault } from '../../src/base/fault.js';
import { answered } from './faults.js';

/** In the order of choice: whichever has a certificate. */
export const EK_KINDS = ['ekP256', 'ekRsa2048', 'ekP384'] as const satisfies EkKind[];

const NIST_P256 = 0x0003;

/** The proof of a hierarchy's authorisation; none where it is empty, as on most machines. */
const authOf = (value: Uint8Array): Auth | undefined => (value.length === 0 ? undefined : hmac(value));

/** A hierarchy as the entity of a command. */
export function hierarchy(handle: number, value: Uint8Array): Entity {
  const auth = authOf(value);
  return auth ? { handle, auth } : handle;
}

/** Handles in use from `first` on, of the same kind. */
export async function handlesFrom(tpm: Tpm, first: number): Promise<number[]> {
  const { capabilityData } = await tpm.run(GetCapability, {}, { capability: 'handles', property: first, propertyCount: 254 });
  return capabilityData.capability === 'handles' ? capabilityData.data.filter((handle) => handle >>> 24 === first >>> 24) : [];
}

/** A public area, null where the handle stands for nothing: another process may have removed what was listed a moment ago. */
async function unlessGone<T>(asked: Promise<T>): Promise<T | null> {
  try {
    return await asked;
  } catch (error) {
    if (answered(error, RC.HANDLE)) return null;
    throw error;
  }
}

export const readNvPublic = async (tpm: Tpm, nvIndex: number): Promise<NvPublic | null> => (await unlessGone(tpm.run(NV_ReadPublic, { nvIndex }, {})))?.nvPublic ?? null;

/** The persistent object of this Name, whoever persisted it. */
export async function findPersistent(tpm: Tpm, name: Uint8Array): Promise<{ handle: number; publicArea: Public } | null> {
  for (const handle of await handlesFrom(tpm, 0x81000000)) {
    const found = await unlessGone(tpm.run(ReadPublic, { objectHandle: handle }, {}));
    if (found && nameOf(found.outPublic).equals(name)) return { handle, publicArea: found.outPublic };
  }
  return null;
}

/** The certificate of an EK without the maker's padding; null when there is none that can be read. */
export async function readCertificate(tpm: Tpm, kind: EkKind): Promise<Buffer | null> {
  try {
    const bytes = await readEkCertificate(tpm, kind);
    return bytes && cutCertificate(bytes);
  } catch (error) {
    if (error instanceof TpmError || error instanceof Fault) return null;
    throw error;
  }
}

/** Indices of the EK certificate chain, which run on from one to the next (TCG EK Credential Profile, handle values for certificate chains). */
const CHAIN = { first: 0x01c00100, last: 0x01c001ff, bytes: 65_536 } as const;
/** What the verifier takes: more and longer ones are no chain of a TPM. */
const MAX_CHAIN = 8;
const MAX_CERTIFICATE = 8192;

/** The authorities above the EK certificate, where the maker stored them; empty where he did not, or what is there cannot be read. */
export async function readChain(tpm: Tpm): Promise<Buffer[]> {
  try {
    const parts: Buffer[] = [];
    for (const handle of await handlesFrom(tpm, CHAIN.first)) {
      if (handle <= CHAIN.last && parts.reduce((sum, { length }) => sum + length, 0) < CHAIN.bytes) parts.push(await readNv(tpm, handle));
    }
    return cutChain(Buffer.concat(parts), MAX_CHAIN).filter(({ length }) => length <= MAX_CERTIFICATE);
  } catch (error) {
    if (error instanceof TpmError || error instanceof Fault) return [];
    throw error;
  }
}

export async function hasP256(tpm: Tpm): Promise<boolean> {
  const { capabilityData } = await tpm.run(GetCapability, {}, { capability: 'eccCurves', property: 0, propertyCount: 254 });
  return capabilityData.capability === 'eccCurves' && capabilityData.data.includes(NIST_P256);
}

/** The first kind that has a certificate; without any, one that the TPM can make. */
export async function chooseEk(tpm: Tpm): Promise<EkKind> {
  for (const kind of EK_KINDS) if ((await readCertificate(tpm, kind)) !== null) return kind;
  return (await hasP256(tpm)) ? 'ekP256' : 'ekRsa2048';
}

/**
 * A loaded EK. `authorised` gives it as the entity of one command, with a session that satisfies its policy and encrypts the secrets of that command on
 * the bus; `handle` and `publicArea` salt any other session that does.
 */
export interface LoadedEk { readonly handle: number; readonly publicArea: Public; authorised<T>(use: (ek: Entity) => Promise<T>): Promise<T> }

/** Where the EK is: its kind, the endorsement hierarchy's authorisation and, once known, its Name. */
export interface EkPlace { readonly kind: EkKind; readonly auth: Uint8Array; readonly name: Uint8Array | null }

/** The EK for as long as `use` runs. One that is persistent is not derived again: an RSA key takes seconds. */
export async function withEk<T>(tpm: Tpm, { kind, auth, name }: EkPlace, use: (ek: LoadedEk) => Promise<T>): Promise<T> {
  const loaded = (handle: number, publicArea: Public): LoadedEk => {
    const ek = { handle, name: nameOf(publicArea) };
    return { handle, publicArea, authorised: (run) => withEkSession(tpm, kind, (session) => run({ ...ek, auth: session }), authOf(auth), { handle, publicArea }) };
  };
  const persistent = name && (await findPersistent(tpm, name));
  if (persistent) return use(loaded(persistent.handle, persistent.publicArea));
  return tpm.withObject(createEk(tpm, kind, authOf(auth)), ({ objectHandle, outPublic }) => use(loaded(objectHandle, outPublic)));
}
