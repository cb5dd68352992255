/**
 * The endorsement key and its certificate: TCG EK Credential Profile for TPM 2.0. The key is derived anew from the TPM's seed by its template, or found
 * persistent; it is used by policy only: PolicySecret(TPM_RH_ENDORSEMENT).
 */
import {
  CreatePrimary, EK_CERTIFICATE_INDEX, type Entity, GetCapability, NV_Read, NV_ReadPublic, PolicyOR, PolicySecret, RH, ReadPublic, type Public, type Session, type Tpm, TpmError, hmac, nameOf,
  policies, templates,
} from '@ari-sidecar/tpm2';
import { cutCertificate } from '../../attest/enrol/der.js';
import { Fault } from '../../src/base/fault.js';

/** In the order of choice: whichever has a certificate. */
export const EK_KINDS = ['ekP256', 'ekRsa2048', 'ekP384'] as const;
export type EkKind = (typeof EK_KINDS)[number];

const NONE = Buffer.alloc(0);
/** No TPM must take more at once (TPM_PT_NV_BUFFER_MAX is 512 at least in the PC client profile). */
const CHUNK = 512;
const NIST_P256 = 0x0003;
/** The branches of a policy that ends in PolicyOR: template H-3 only. */
const BRANCHES: Partial<Record<EkKind, Buffer[]>> = { ekP384: [policies.PolA384, policies.PolC384] };

export const noPolicyParams = { nonceTPM: NONE, cpHashA: NONE, policyRef: NONE, expiration: 0 } as const;

/** A hierarchy with its authorisation, which is empty on most machines. */
export const hierarchy = (handle: number, auth: Uint8Array): Entity => (auth.length === 0 ? handle : { handle, auth: hmac(auth) });

/** Handles in use from `first` on, of the same kind. */
export async function handlesFrom(tpm: Tpm, first: number): Promise<number[]> {
  const { capabilityData } = await tpm.run(GetCapability, {}, { capability: 'handles', property: first, propertyCount: 254 });
  return capabilityData.capability === 'handles' ? capabilityData.data.filter((handle) => handle >>> 24 === first >>> 24) : [];
}

/** The persistent object of this Name, whoever persisted it. */
export async function findPersistent(tpm: Tpm, name: Uint8Array): Promise<number | null> {
  for (const handle of await handlesFrom(tpm, 0x81000000)) {
    const { outPublic } = await tpm.run(ReadPublic, { objectHandle: handle }, {});
    if (nameOf(outPublic).equals(name)) return handle;
  }
  return null;
}

/** The certificate in an NV index, null when there is none that can be read. */
export async function readCertificate(tpm: Tpm, nvIndex: number): Promise<Buffer | null> {
  try {
    const { nvPublic } = await tpm.run(NV_ReadPublic, { nvIndex }, {});
    const parts: Buffer[] = [];
    for (let offset = 0; offset < nvPublic.dataSize; offset += CHUNK) {
      const size = Math.min(CHUNK, nvPublic.dataSize - offset);
      parts.push((await tpm.run(NV_Read, { authHandle: nvIndex, nvIndex }, { size, offset })).data);
    }
    return cutCertificate(Buffer.concat(parts));
  } catch (error) {
    if (error instanceof TpmError || error instanceof Fault) return null;
    throw error;
  }
}

export async function hasP256(tpm: Tpm): Promise<boolean> {
  const { capabilityData } = await tpm.run(GetCapability, {}, { capability: 'eccCurves', property: 0, propertyCount: 254 });
  return capabilityData.capability === 'eccCurves' && capabilityData.data.includes(NIST_P256);
}

/** The first kind that has a certificate; without any, one that the TPM can make. */
export async function chooseEk(tpm: Tpm): Promise<EkKind> {
  for (const kind of EK_KINDS) if ((await readCertificate(tpm, EK_CERTIFICATE_INDEX[kind])) !== null) return kind;
  return (await hasP256(tpm)) ? 'ekP256' : 'ekRsa2048';
}

/** A loaded EK. `authorised` gives a session that satisfies its policy, for one command. */
export interface LoadedEk { readonly handle: number; readonly publicArea: Public; authorised<T>(use: (session: Session) => Promise<T>): Promise<T> }

/** Where the EK is: its kind, the endorsement hierarchy's authorisation and, once known, its Name. */
export interface EkPlace { readonly kind: EkKind; readonly auth: Uint8Array; readonly name: Uint8Array | null }

/** The EK for as long as `use` runs. One that is persistent is not derived again: an RSA key takes seconds. */
export async function withEk<T>(tpm: Tpm, { kind, auth, name }: EkPlace, use: (ek: LoadedEk) => Promise<T>): Promise<T> {
  const endorsement = hierarchy(RH.ENDORSEMENT, auth);
  const authorised = <R>(run: (session: Session) => Promise<R>): Promise<R> => tpm.withSession({ type: 'policy', hash: templates[kind].nameAlg }, async (session) => {
    await tpm.run(PolicySecret, { authHandle: endorsement, policySession: session.handle }, noPolicyParams);
    const branches = BRANCHES[kind];
    if (branches) await tpm.run(PolicyOR, { policySession: session.handle }, { pHashList: branches });
    return run(session);
  });
  const persistent = name && (await findPersistent(tpm, name));
  if (persistent) return use({ handle: persistent, publicArea: (await tpm.run(ReadPublic, { objectHandle: persistent }, {})).outPublic, authorised });
  const inSensitive = { userAuth: NONE, data: NONE };
  const made = tpm.run(CreatePrimary, { primaryHandle: endorsement }, { inSensitive, inPublic: templates[kind], outsideInfo: NONE, creationPCR: [] });
  return tpm.withObject(made, ({ objectHandle, outPublic }) => use({ handle: objectHandle, publicArea: outPublic, authorised }));
}
