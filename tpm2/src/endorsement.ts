/** Endorsement keys: making one, satisfying its policy, reading its certificate. */
import type { Tpm } from './client.js';
import { CreatePrimary, GetCapability, NV_Read, NV_ReadPublic, PolicyOR, PolicySecret } from './commands/index.js';
import type { Auth } from './auth.js';
import type { SessionOptions } from './core.js';
import { RH } from './handles.js';
import { policies } from './policies.js';
import type { Session } from './session.js';
import type { Public } from './structures/index.js';
import { EK_CERTIFICATE_INDEX, templates } from './templates.js';

export type EkKind = keyof typeof EK_CERTIFICATE_INDEX;

export interface EndorsementKey {
  objectHandle: number;
  outPublic: Public;
  name: Buffer;
}

/** CreatePrimary of an EK template: the same key every time, the one that the certificate names. Transient: see withObject. `auth` is the endorsement hierarchy's, empty in the field. */
export function createEk(tpm: Tpm, kind: EkKind, auth?: Auth): Promise<EndorsementKey> {
  const primaryHandle = auth === undefined ? RH.ENDORSEMENT : { handle: RH.ENDORSEMENT, auth };
  const inSensitive = { userAuth: Buffer.alloc(0), data: Buffer.alloc(0) };
  return tpm.run(CreatePrimary, { primaryHandle }, { inSensitive, inPublic: templates[kind], outsideInfo: Buffer.alloc(0), creationPCR: [] });
}

/**
 * A policy session that authorises the user role of an EK once: PolicySecret of the endorsement hierarchy, and PolicyOR for P-384.
 * @param salt the loaded EK: with it first parameters are encrypted both ways, such as the authValue of a key that is made
 */
export function withEkSession<T>(tpm: Tpm, kind: EkKind, use: (session: Session) => Promise<T>, auth?: Auth, salt?: SessionOptions['salt']): Promise<T> {
  const hash = templates[kind].nameAlg;
  return tpm.withSession({ type: 'policy', hash, ...(salt === undefined ? {} : { salt, encrypted: true }) }, async (session) => {
    const none = Buffer.alloc(0);
    const authHandle = auth === undefined ? RH.ENDORSEMENT : { handle: RH.ENDORSEMENT, auth };
    await tpm.run(PolicySecret, { authHandle, policySession: session.handle }, { nonceTPM: none, cpHashA: none, policyRef: none, expiration: 0 });
    if (kind === 'ekP384') await tpm.run(PolicyOR, { policySession: session.handle }, { pHashList: [policies.PolA384, policies.PolC384] });
    return await use(session);
  });
}

/** The whole contents of an index, in chunks that every TPM takes: read by its own auth value or, where that may not, by the owner's; both are empty in the field. */
export async function readNv(tpm: Tpm, nvIndex: number, auth?: Auth): Promise<Buffer> {
  const { nvPublic, nvName: name } = await tpm.run(NV_ReadPublic, { nvIndex }, {});
  const entity = { handle: nvIndex, name, ...(auth === undefined ? {} : { auth }) };
  const parts: Buffer[] = [];
  for (let offset = 0; offset < nvPublic.dataSize; offset += 512) {
    const size = Math.min(512, nvPublic.dataSize - offset);
    parts.push((await tpm.run(NV_Read, { authHandle: nvPublic.attributes.authRead ? entity : RH.OWNER, nvIndex: entity }, { size, offset })).data);
  }
  return Buffer.concat(parts);
}

/** An EK certificate in DER, cut at the length that its outer SEQUENCE tells: some TPMs pad. Null where the index is not defined. Not judged in any way. */
export async function readEkCertificate(tpm: Tpm, kind: EkKind): Promise<Buffer | null> {
  const nvIndex = EK_CERTIFICATE_INDEX[kind];
  const listed = await tpm.run(GetCapability, {}, { capability: 'handles', property: nvIndex, propertyCount: 1 });
  if (listed.capabilityData.capability !== 'handles' || listed.capabilityData.data[0] !== nvIndex) return null;
  const der = await readNv(tpm, nvIndex);
  if (der.length < 4 || der[0] !== 0x30 || der[1] !== 0x82) return der;
  return der.subarray(0, 4 + der.readUInt16BE(2));
}
