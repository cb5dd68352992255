/**
 * The little DER that must not be left to a lenient parser: where a certificate ends, and the key algorithm of old endorsement certificates.
 * The bytes come from a TPM's NV memory by way of the device: they may be padded by the maker or chosen by an adversary.
 */
import { fault } from '../../src/base/fault.js';

const SEQUENCE = 0x30;
const refuse = (what: string): never => { throw fault('enrol.ek_chain', { what }); };

/** One tag-length-value: where its contents begin and where it ends. Short or minimal long form only (X.690 section 10.1). */
function element(bytes: Uint8Array, at: number): { tag: number; body: number; end: number } {
  const first = bytes[at + 1] ?? refuse('the certificate is cut off');
  const digits = first < 0x80 ? 0 : first - 0x80;
  if (first === 0x80 || digits > 3) refuse('the certificate is not DER (length)');
  let size = digits === 0 ? first : 0;
  for (let i = 0; i < digits; i++) size = size * 256 + (bytes[at + 2 + i] ?? refuse('the certificate is cut off'));
  if (digits > 0 && (size < 0x80 || size < 256 ** (digits - 1))) refuse('the certificate is not DER (length)');
  const body = at + 2 + digits;
  if (body + size > bytes.length) refuse('the certificate is cut off');
  return { tag: bytes[at]!, body, end: body + size };
}

/** TCG_PCCLIENT_STORED_CERT: some makers keep the header of TPM 1.2 before the certificate. */
const STORED_CERT = Buffer.from('100100', 'hex');

/**
 * The certificate in an NV index, without the maker's header and padding.
 * @throws Fault enrol.ek_chain when it is no DER SEQUENCE, or what follows it is neither all 00 nor all FF
 */
export function cutCertificate(nv: Uint8Array): Buffer {
  const bytes = Buffer.from(nv).subarray(STORED_CERT.equals(nv.subarray(0, 3)) ? 7 : 0);
  if (bytes[0] !== SEQUENCE) refuse('there is no certificate');
  const { end } = element(bytes, 0);
  const rest = bytes.subarray(end);
  if (!rest.every((byte) => byte === rest[0] && (byte === 0x00 || byte === 0xff))) refuse('something else follows the certificate');
  return bytes.subarray(0, end);
}

/** AlgorithmIdentifier { rsaEncryption, NULL }. */
const RSA_ENCRYPTION = Buffer.from('300d06092a864886f70d0101010500', 'hex');
/** id-RSAES-OAEP and id-RSASSA-PSS, with which some makers mark their RSA endorsement keys: the key itself is any RSA key. */
const RSA_RESTRICTED = ['06092a864886f70d010107', '06092a864886f70d01010a'];

const sequence = (body: Buffer): Buffer => {
  const size = body.length < 0x80 ? Buffer.of(body.length) : body.length < 0x100 ? Buffer.of(0x81, body.length) : Buffer.of(0x82, body.length >> 8, body.length & 0xff);
  return Buffer.concat([Buffer.of(SEQUENCE), size, body]);
};

/** A SubjectPublicKeyInfo that node:crypto takes as the RSA or EC key it is. */
export function plainSpki(spki: Uint8Array): Buffer {
  const bytes = Buffer.from(spki);
  const outer = element(bytes, 0);
  const algorithm = element(bytes, outer.body);
  const oid = bytes.toString('hex', algorithm.body, algorithm.body + 11);
  return RSA_RESTRICTED.includes(oid) ? sequence(Buffer.concat([RSA_ENCRYPTION, bytes.subarray(algorithm.end, outer.end)])) : bytes;
}
