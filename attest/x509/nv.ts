/** How an endorsement certificate lies in NV memory: padded by the maker, or behind the header of TPM 1.2. The bytes may be chosen by an adversary. */
import { TAG, DerReader, malformed } from './der.js';
import { Oddities } from './oddities.js';

/** TCG_PCCLIENT_STORED_CERT: tag 1001, type, size; then TCG_PCCLIENT_FULL_CERT: tag 1002. */
const STORED_CERT = Buffer.from('100100', 'hex');
const STORED_HEADER = 7;

/** The certificate alone. @throws Fault cert.malformed when there is none, or what follows it is neither all 00 nor all FF */
export function unwrapNv(nv: Uint8Array, oddities: Oddities): Buffer {
  const bytes = Buffer.from(nv.buffer, nv.byteOffset, nv.byteLength);
  const start = bytes.subarray(0, 3).equals(STORED_CERT) ? STORED_HEADER : 0;
  if (start > 0) oddities.add('nv-header');
  if (bytes[start] !== TAG.sequence) malformed(start, 'there is no certificate');
  const { whole } = new DerReader(bytes.subarray(start), start, oddities).next('the certificate');
  const rest = bytes.subarray(start + whole.length);
  if (!rest.every((byte) => byte === rest[0] && (byte === 0x00 || byte === 0xff))) malformed(start + whole.length, 'something follows the certificate');
  if (rest.length > 0) oddities.add('nv-padding');
  return whole;
}

/** {@link unwrapNv} for whoever passes the certificate on unread. @throws Fault cert.malformed */
export const cutCertificate = (nv: Uint8Array): Buffer => unwrapNv(nv, new Oddities());

/** The certificates of the chain that a maker stores one after the other (TCG EK Credential Profile section 2.2.1.5.2); padding ends it. @throws Fault cert.malformed */
export function cutChain(nv: Uint8Array, max: number): Buffer[] {
  const bytes = Buffer.from(nv.buffer, nv.byteOffset, nv.byteLength);
  const reader = new DerReader(bytes, 0, new Oddities());
  const chain: Buffer[] = [];
  while (reader.tag === TAG.sequence && chain.length < max) chain.push(reader.next('a certificate').whole);
  return chain;
}
