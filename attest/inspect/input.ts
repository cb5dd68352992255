/** Files as people have them: the structure itself, or its hex or base64 in text. */

/** Larger files are refused before they are read. */
export const INSPECT_LIMIT = 67_108_864;

const HEX = /^(?:0x)?((?:[0-9A-Fa-f]{2}[\s:]*)+)$/;
const BASE64 = /^[A-Za-z0-9+/_\s-]{8,}={0,2}\s*$/;
/** No structure of a TPM is longer; a log in hex is a log of somebody else. */
const TEXT_LIMIT = 4_194_304;

/** The bytes that a file means. Bytes of a TPM structure are never all hex digits: each has zeros in it. */
export function meantBytes(file: Buffer): Buffer {
  if (file.length === 0 || file.length > TEXT_LIMIT || file.includes(0)) return file;
  const text = file.toString('latin1').trim();
  const hex = HEX.exec(text)?.[1];
  if (hex !== undefined) return Buffer.from(hex.replaceAll(/[\s:]/g, ''), 'hex');
  return BASE64.test(text) ? Buffer.from(text.replaceAll(/\s/g, ''), text.includes('-') || text.includes('_') ? 'base64url' : 'base64') : file;
}
