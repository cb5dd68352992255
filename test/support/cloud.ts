/**
 * A cloud: an authority that certifies the attestation keys of its virtual TPMs, and provisions them as Azure does (a persistent RSA key, its certificate in
 * NV 01C101D0) and as Google does (template and certificate in NV 01C10002 and 01C10003, the key made from it).
 */
import { webcrypto } from 'node:crypto';
import {
  CreatePrimary, EvictControl, NV_DefineSpace, NV_Write, Public, RH, type Tpm, encode, nvAttributes, objectAttributes, publicKeyOf, templates,
} from '@ari-sidecar/tpm2';
import { toB64u } from '../../src/base/bytes.js';
import type { LinkBody } from '../../src/link.js';
import { AK_PURPOSE } from '../../attest/x509/index.js';
import type { PinnedRoot } from '../../attest/x509/roots.js';
import { DAY, type Draft, type Party, ca, issue, party, pemOf, pin, purposes, usage, x509 } from './authority.js';

const NONE = Buffer.alloc(0);
export const AZURE = { key: 0x81000003, certificate: 0x01c101d0 } as const;
export const GOOGLE = { key: 0x01c10003, certificate: 0x01c10002 } as const;

const PROVIDERS = ['fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'userWithAuth', 'restricted', 'sign'] as const;
/** Not our template: dictionary attacks count against it, and it is RSA. */
export const AZURE_TEMPLATE: Public = { ...templates.akRsa2048, objectAttributes: objectAttributes(...PROVIDERS) };
export const GOOGLE_TEMPLATE: Public = { ...templates.akP256, objectAttributes: objectAttributes(...PROVIDERS), unique: { x: Buffer.alloc(32, 1), y: Buffer.alloc(32) } };

export const attesting = (purpose = AK_PURPOSE): x509.Extension[] => [new x509.BasicConstraintsExtension(false, undefined, true), new x509.KeyUsagesExtension(usage.digitalSignature, true), purposes(purpose)];

const nowS = (): number => Math.floor(Date.now() / 1000);

/** The key of a public area as a party that can be certified. */
export async function partyOf(area: Public, name = 'CN=vm-1.cloud.example'): Promise<Party> {
  const spki = publicKeyOf(area).export({ format: 'der', type: 'spki' });
  const algorithm = area.type === 'rsa' ? { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' } : { name: 'ECDSA', namedCurve: 'P-256' };
  const publicKey = await webcrypto.subtle.importKey('spki', spki, algorithm, true, ['verify']);
  return { name, keys: { publicKey, privateKey: (await party('CN=unused')).keys.privateKey } };
}

/** Stores bytes that the owner may read, and where `everybody`, all. */
export async function storeNv(tpm: Tpm, nvIndex: number, data: Buffer, everybody: boolean): Promise<void> {
  const attributes = nvAttributes('ordinary', 'ownerRead', 'ownerWrite', 'noDA', ...(everybody ? ['authRead' as const] : []));
  await tpm.run(NV_DefineSpace, { authHandle: RH.OWNER }, { auth: NONE, publicInfo: { nvIndex, nameAlg: 'sha256', attributes, authPolicy: NONE, dataSize: data.length } });
  for (let offset = 0; offset < data.length; offset += 512) {
    await tpm.run(NV_Write, { authHandle: RH.OWNER, nvIndex: await tpm.entity(nvIndex) }, { data: data.subarray(offset, offset + 512), offset });
  }
}

const primary = { inSensitive: { userAuth: NONE, data: NONE }, outsideInfo: NONE, creationPCR: [] };

export class Cloud {
  readonly pinned: PinnedRoot;
  readonly rootPem: string;
  readonly #authority: Party;

  private constructor(authority: Party, root: Buffer) {
    this.#authority = authority;
    this.pinned = pin(root, { uses: ['ak'] });
    this.rootPem = pemOf(root);
  }

  static async start(name = 'CN=Cloud vTPM root'): Promise<Cloud> {
    const authority = await party(name);
    return new Cloud(authority, await issue({ subject: authority, issuer: authority, extensions: ca(), from: nowS() - DAY, to: nowS() + DAY }));
  }

  /** The certificate of a key of one of its virtual TPMs. */
  async certify(area: Public, changes: Partial<Draft> = {}): Promise<Buffer> {
    return issue({ subject: await partyOf(area), issuer: this.#authority, extensions: attesting(), from: nowS() - DAY, to: nowS() + DAY, ...changes });
  }

  /** What a device shows of a key. */
  async shown(area: Public, changes?: Partial<Draft>): Promise<NonNullable<LinkBody<'enrol_begin'>['provider']>> {
    return { publicArea: toB64u(encode(Public, area)), certificate: toB64u(await this.certify(area, changes)), chain: [] };
  }

  /** @returns the public area of the key at {@link AZURE}.key */
  async provisionAzure(tpm: Tpm, template: Public = AZURE_TEMPLATE): Promise<Public> {
    const made = tpm.run(CreatePrimary, { primaryHandle: RH.ENDORSEMENT }, { ...primary, inPublic: template });
    const area = await tpm.withObject(made, async ({ objectHandle, outPublic }) => {
      await tpm.run(EvictControl, { auth: RH.OWNER, objectHandle }, { persistentHandle: AZURE.key });
      return outPublic;
    });
    await storeNv(tpm, AZURE.certificate, await this.certify(area), false);
    return area;
  }

  async provisionGoogle(tpm: Tpm): Promise<Public> {
    const made = tpm.run(CreatePrimary, { primaryHandle: RH.ENDORSEMENT }, { ...primary, inPublic: GOOGLE_TEMPLATE });
    const area = await tpm.withObject(made, ({ outPublic }) => Promise.resolve(outPublic));
    await storeNv(tpm, GOOGLE.key, encode(Public, GOOGLE_TEMPLATE), true);
    await storeNv(tpm, GOOGLE.certificate, await this.certify(area), true);
    return area;
  }
}
