/**
 * The attestation key that a cloud made in its virtual TPM, and its certificate. It is not ours: everybody on this machine may sign with it. It is used
 * once, at enrolment, to certify our attestation key.
 */
import { readFile } from 'node:fs/promises';
import {
  Certify, CreatePrimary, type Entity, HT, Public, RH, ReadPublic, type Tpm, TpmError, WireError, decode, encode, handleType, nameOf, readNv,
} from '@ari-sidecar/tpm2';
import { cutCertificate } from '../../attest/x509/nv.js';
import { readPem } from '../../attest/x509/roots.js';
import { toB64u } from '../../src/base/bytes.js';
import { Fault, fault } from '../../src/base/fault.js';
import type { LinkBody } from '../../src/link.js';
import type { Attestation } from '../../src/objects/evidence.js';
import { hierarchy } from './endorsement.js';
import type { Identity } from './identity.js';
import { attestationOf } from './nv.js';
import type { ProviderConfig } from './types.js';

const NONE = Buffer.alloc(0);
const hexOf = (handle: number): string => handle.toString(16).padStart(8, '0');

export interface Provider {
  /** Where key and certificate are, for people. */
  readonly place: string;
  readonly shown: NonNullable<LinkBody<'enrol_begin'>['provider']>;
  /** TPM2_Certify of our attestation key. */
  certify(identity: Identity, qualifyingData: Uint8Array): Promise<Attestation>;
}

/** Null where the configuration names none. @throws Fault tpm.provider: key or certificate are not there, or are none */
export async function openProvider(tpm: Tpm, config: ProviderConfig | undefined, endorsementAuth: Uint8Array): Promise<Provider | null> {
  if (config === undefined) return null;
  const withKey = holderOf(tpm, config.key, endorsementAuth);
  const publicArea = await orRefused(hexOf(config.key), () => withKey((_, area) => Promise.resolve(area)));
  const where = typeof config.certificate === 'string' ? config.certificate : hexOf(config.certificate);
  const [certificate, ...chain] = await orRefused(where, () => certificatesOf(tpm, config.certificate));
  if (certificate === undefined) throw fault('tpm.provider', { what: `${where}: there is no certificate` });
  return {
    place: `${hexOf(config.key)}, certificate ${where}`,
    shown: { publicArea: toB64u(encode(Public, publicArea)), certificate: toB64u(certificate), chain: chain.map(toB64u) },
    certify: ({ ak }, qualifyingData) => withKey(async (signHandle) => {
      const { certifyInfo, signature } = await tpm.run(Certify, { objectHandle: ak, signHandle }, { qualifyingData, inScheme: { scheme: 'null' } });
      return attestationOf(certifyInfo, signature);
    }),
  };
}

type Use<T> = (key: Entity, publicArea: Public) => Promise<T>;

/** The key for as long as it is used: a persistent one, or one that is made from its template, the same every time. */
function holderOf(tpm: Tpm, place: number, endorsementAuth: Uint8Array): <T>(use: Use<T>) => Promise<T> {
  return async (use) => {
    if (handleType(place) === HT.PERSISTENT) {
      const { outPublic } = await tpm.run(ReadPublic, { objectHandle: place }, {});
      return use({ handle: place, name: nameOf(outPublic) }, outPublic);
    }
    const params = { inSensitive: { userAuth: NONE, data: NONE }, inPublic: decode(Public, await readNv(tpm, place)), outsideInfo: NONE, creationPCR: [] };
    const made = tpm.run(CreatePrimary, { primaryHandle: hierarchy(RH.ENDORSEMENT, endorsementAuth) }, params);
    return tpm.withObject(made, ({ objectHandle, outPublic }) => use({ handle: objectHandle, name: nameOf(outPublic) }, outPublic));
  };
}

const certificatesOf = async (tpm: Tpm, place: number | string): Promise<Uint8Array[]> =>
  (typeof place === 'string' ? readPem(await readFile(place, 'utf8')).map(({ der }) => der) : [cutCertificate(await readNv(tpm, place))]);

/** What the operator named and is not there is his to mend; a TPM that does not answer is another matter. */
async function orRefused<T>(where: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const isFile = error instanceof Error && 'syscall' in error;
    if (!(isFile || error instanceof TpmError || error instanceof WireError || error instanceof Fault)) throw error;
    throw new Fault('tpm.provider', { what: `${where}: ${error.message}` }, error);
  }
}
