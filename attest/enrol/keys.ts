/**
 * What a device enrols: its endorsement key, attestation key, register and counter. Each public area must be *exactly* that of its template, and each
 * Name is computed here, never accepted: an attestation key without `restricted` would sign a quote that its owner wrote himself.
 */
import {
  NvPublic, Public, WireError, counterPublic, decode, encode, nameOf, nvNameOf, policySecretDigest, publicKeyOf, qualifiedName, registerPublic, RH, templates, written,
} from '@ari-sidecar/tpm2';
import { equal, fromB64u } from '../../src/base/bytes.js';
import { type Fault, fault } from '../../src/base/fault.js';

const EK_TEMPLATES: readonly Public[] = [templates.ekRsa2048, templates.ekP256, templates.ekP384];
const AK_TEMPLATES: readonly Public[] = [templates.akP256, templates.akRsa2048];

/** Equal but for `unique`: attributes, policy, scheme, curve or size, and nameAlg. */
const isMadeFrom = (area: Public, template: Public): boolean =>
  area.type === template.type && encode(Public, { ...area, unique: template.unique } as Public).equals(encode(Public, template));

/** A structure that a device sent. @throws what `refusal` makes of the reason */
export function readArea<T>(codec: Parameters<typeof decode<T>>[0], text: string, refusal: (what: string) => Fault): T {
  try {
    return decode(codec, fromB64u(text) ?? Buffer.alloc(0));
  } catch (error) {
    if (error instanceof WireError) throw refusal(error.message);
    throw error;
  }
}

/** Whether `unique` is a key of the size or curve that the parameters say. */
export function isKey(area: Public): boolean {
  try {
    const key = publicKeyOf(area);
    return area.type !== 'rsa' || key.asymmetricKeyDetails?.modulusLength === area.parameters.keyBits;
  } catch {
    return false;
  }
}

/** TPMT_PUBLIC of the endorsement key: TCG template L-1, L-2 or H-3. @throws Fault enrol.ek_template */
export function readEk(text: string): Public {
  const ek = readArea(Public, text, () => fault('enrol.ek_template'));
  if (!EK_TEMPLATES.some((template) => isMadeFrom(ek, template)) || !isKey(ek)) throw fault('enrol.ek_template');
  return ek;
}

/** The attestation key and its Names, lower-case hex. `qualifiedSigner` says "child of this EK in the endorsement hierarchy". */
export interface AttestationKey { readonly akName: string; readonly qualifiedSigner: string; readonly nameBytes: Buffer }

const akRefused = (what: string): Fault => fault('enrol.ak_attributes', { what });

/** @throws Fault enrol.ak_attributes */
export function readAk(text: string, ek: Public): AttestationKey {
  const ak = readArea(Public, text, akRefused);
  if (!AK_TEMPLATES.some((template) => isMadeFrom(ak, template))) throw akRefused(`its public area is that of no template (${describe(ak)})`);
  if (!isKey(ak)) throw akRefused('its point or modulus is none');
  const nameBytes = nameOf(ak);
  return { nameBytes, akName: nameBytes.toString('hex'), qualifiedSigner: qualifiedName(RH.ENDORSEMENT, nameOf(ek), nameBytes).toString('hex') };
}

function describe(ak: Public): string {
  const lacking = Object.entries(templates.akP256.objectAttributes).filter(([name, set]) => set !== ak.objectAttributes[name as keyof typeof ak.objectAttributes]).map(([name, set]) => (set ? `no ${name}` : name));
  return lacking.length > 0 ? lacking.join(', ') : `${ak.type}, ${ak.nameAlg}`;
}

const nvRefused = (what: string): Fault => fault('enrol.register', { what });
const NV_HANDLE = 0x01;

/** The index whose public area is one of `allowed`, but for WRITTEN. @returns its Name after the first write: only that one can be certified */
function readIndex(text: string, what: string, allowed: (index: number) => readonly NvPublic[]): string {
  const area = readArea(NvPublic, text, nvRefused);
  if (area.nvIndex >>> 24 !== NV_HANDLE) throw nvRefused(`${what} is no NV index`);
  const found = encode(NvPublic, written(area));
  if (!allowed(area.nvIndex).some((each) => equal(encode(NvPublic, written(each)), found))) throw nvRefused(`${what} has other attributes or another policy`);
  return nvNameOf(written(area)).toString('hex');
}

/** Written by PolicySecret(AK) only: an index with an auth value can be redefined and rewritten under the same Name. @throws Fault enrol.register */
export function readRegister(text: string, { nameBytes }: AttestationKey): string {
  const policy = policySecretDigest(nameBytes);
  return readIndex(text, 'the register', (index) => [registerPublic(index, policy), registerPublic(index, policy, { orderly: false })]);
}

/** Never orderly: a crash would make it jump. @throws Fault enrol.register */
export const readCounter = (text: string, { nameBytes }: AttestationKey): string =>
  readIndex(text, 'the counter', (index) => [counterPublic(index, policySecretDigest(nameBytes))]);
