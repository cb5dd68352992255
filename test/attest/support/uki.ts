import { GOOD_BOOT, type MadeEvent, hashOf } from './logs.js';

/** Unified kernel images and the boot of a machine that starts one, made by the test. */
export const ROOTHASH = '7'.repeat(64);
export const COMMAND_LINE = `roothash=${ROOTHASH} quiet`;
export type Parts = Readonly<Record<string, string>>;
/** The parts of the recorded prediction, in the order in which systemd-stub measures them. */
export const PARTS: Parts = { '.linux': 'a kernel image', '.osrel': 'ID=debian\nVERSION_ID="12"\n', '.cmdline': COMMAND_LINE, '.initrd': 'an initrd' };
export const sectionsOf = (parts: Parts, bank = 'sha256') => Object.entries(parts).map(([name, contents]) => ({ name, digest: hashOf(bank, Buffer.from(contents)).toString('hex') }));

const HEADERS = 0x200;
const ALIGN = 0x200;
/** A PE32+ image with these sections; `signature` is appended as a certificate table. `covered`: what its Authenticode digest is over. */
export function peImage(parts: Parts, signature = Buffer.alloc(0)): { file: Buffer; covered: Buffer } {
  const head = Buffer.alloc(HEADERS);
  head.write('MZ');
  head.writeUInt32LE(0x40, 0x3c);
  head.write('PE\0\0', 0x40, 'latin1');
  const names = Object.entries(parts);
  head.writeUInt16LE(0x8664, 0x44);
  head.writeUInt16LE(names.length, 0x46);
  head.writeUInt16LE(240, 0x54);
  head.writeUInt16LE(0x22, 0x56);
  const optional = 0x58;
  head.writeUInt16LE(0x20b, optional);
  head.writeUInt32LE(0x1000, optional + 32);
  head.writeUInt32LE(ALIGN, optional + 36);
  head.writeUInt32LE(0x100_000, optional + 56);
  head.writeUInt32LE(HEADERS, optional + 60);
  head.writeUInt32LE(0xdeadbeef, optional + 64);
  head.writeUInt16LE(10, optional + 68);
  head.writeUInt32LE(16, optional + 108);
  let at = HEADERS;
  const bodies = names.map(([name, contents], i) => {
    const body = Buffer.concat([Buffer.from(contents)], Math.ceil(contents.length / ALIGN) * ALIGN);
    const row = optional + 240 + 40 * i;
    head.write(name, row, 8, 'latin1');
    [contents.length, 0x1000 * (i + 1), body.length, at].forEach((value, j) => head.writeUInt32LE(value, row + 8 + 4 * j));
    at += body.length;
    return body;
  });
  if (signature.length > 0) [at, signature.length].forEach((value, j) => head.writeUInt32LE(value, optional + 144 + 4 * j));
  return {
    file: Buffer.concat([head, ...bodies, signature]),
    covered: Buffer.concat([head.subarray(0, optional + 64), head.subarray(optional + 68, optional + 144), head.subarray(optional + 152), ...bodies]),
  };
}

const utf16 = (text: string): Buffer => Buffer.from(`${text}\0`, 'utf16le');
/** As systemd-stub logs them: each name twice, digests of the name and of the contents. */
export const stubEvents = (parts: Parts): MadeEvent[] => Object.entries(parts).flatMap(([name, contents]) =>
  [`${name}\0`, contents].map((measured) => ({ pcr: 11, type: 0xd, data: utf16(name), measured: Buffer.from(measured) })));
export const started = (covered: Buffer): MadeEvent => ({ pcr: 4, type: 0x80000003, data: Buffer.from('a device path'), measured: covered });
/** {@link GOOD_BOOT} by a loader, then this image. */
export const ukiBoot = (parts: Parts = PARTS): MadeEvent[] => [...GOOD_BOOT, started(peImage(parts).covered), ...stubEvents(parts)];
export const phase = (word: string): MadeEvent => ({ pcr: 11, type: 0xd, data: Buffer.from(word) });
