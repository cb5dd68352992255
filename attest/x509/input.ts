/** Certificate files as people have them: PEM, DER, hex, base64, or the contents of an NV index. */
import { type Certificate, readCertificate } from './certificate.js';
import { malformed } from './der.js';
import { readPem } from './roots.js';

const HEX = /^(?:[0-9a-f]{2}\s*)+$/i;
const BASE64 = /^[A-Za-z0-9+/\s]+={0,2}\s*$/;
/** A bundle is at most this long. */
const MAX_FILE = 8 * 1024 * 1024;

/** The certificates in a file, at least one: the first is the one that the file is about. @throws Fault cert.malformed */
export function readCertificateFile(bytes: Buffer): readonly [Certificate, ...Certificate[]] {
  if (bytes.length > MAX_FILE) malformed(0, `the file has ${bytes.length} bytes, at most ${MAX_FILE} are read`);
  if (bytes[0] === 0x30 || bytes[0] === 0x10) {
    const text = bytes.toString('latin1');
    if (!HEX.test(text)) return [readCertificate(bytes)];
  }
  const text = bytes.toString('latin1').trim();
  const [first, ...rest] = readPem(text);
  if (first !== undefined) return [first, ...rest];
  if (HEX.test(text)) return [readCertificate(Buffer.from(text.replace(/\s/g, ''), 'hex'))];
  if (text.length > 0 && BASE64.test(text)) return [readCertificate(Buffer.from(text, 'base64'))];
  return malformed(0, 'there is no certificate: neither PEM nor DER nor hex');
}
