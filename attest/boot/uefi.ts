/** UEFI structures inside event data: variables and signature lists. UEFI Specification sections 32.4.1 and Platform Firmware Profile 10.2.6. */
import { Cursor } from '../cursor.js';

/** UEFI_VARIABLE_DATA. */
export interface UefiVariable { readonly guid: string; readonly name: string; readonly data: Buffer }

const MAX_NAME = 512;
/** EFI_GUID in its usual text, lower case. */
export function guidOf(bytes: Buffer): string {
  const hex = (from: number, to: number): string => bytes.subarray(from, to).toString('hex');
  const little = (from: number, to: number): string => Buffer.from(bytes.subarray(from, to)).reverse().toString('hex');
  return [little(0, 4), little(4, 6), little(6, 8), hex(8, 10), hex(10, 16)].join('-');
}

/** @param offset of `data` in the log. @throws Fault boot.malformed */
export function readVariable(data: Buffer, offset: number): UefiVariable {
  const cursor = new Cursor(data, 'boot.malformed', offset);
  const guid = guidOf(cursor.take(16, 'the GUID of a variable'));
  const chars = cursor.length64('the length of its name', 2);
  if (chars > MAX_NAME) cursor.fail(`a variable's name of ${chars} characters`, 16);
  const size = cursor.length64('the length of its data');
  const name = cursor.take(chars * 2, 'its name').toString('utf16le').replace(/\0$/, '');
  return { guid, name, data: cursor.take(size, 'its data') };
}

/** One entry of a signature database: a certificate, or the hash of an image. `data` is a view of the log. */
export interface UefiSignature { readonly type: 'x509' | 'sha256' | 'other'; readonly owner: string; readonly data: Buffer }

const SIGNATURE_TYPES: Readonly<Record<string, UefiSignature['type']>> = { 'a5c059a1-94e4-4aa7-87b5-ab155c2bf072': 'x509', 'c1c41626-504c-4092-aca9-41f936934328': 'sha256' };
const LIST_HEAD = 28;
const OWNER = 16;

/** EFI_SIGNATURE_LISTs, one after the other. @throws Fault boot.malformed */
export function readSignatures(data: Buffer, offset: number): UefiSignature[] {
  const cursor = new Cursor(data, 'boot.malformed', offset);
  const all: UefiSignature[] = [];
  while (cursor.left > 0) {
    const type = SIGNATURE_TYPES[guidOf(cursor.take(16, 'the type of a signature list'))] ?? 'other';
    const [listSize, headerSize, size] = [cursor.u32('its size'), cursor.u32('its header size'), cursor.u32('its signature size')];
    const body = listSize - LIST_HEAD - headerSize;
    if (size <= OWNER || body < 0 || body % size !== 0) cursor.fail(`a signature list of ${listSize} bytes holds none of ${size}`, cursor.pos - 12);
    cursor.take(headerSize, 'its header');
    for (let left = body; left > 0; left -= size) all.push({ type, owner: guidOf(cursor.take(OWNER, 'an owner')), data: cursor.take(size - OWNER, 'a signature') });
  }
  return all;
}
