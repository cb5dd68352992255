/** A PE/COFF image as an operator holds it in a file: its sections, and the digest under which firmware measures it when it starts it. */
import type { HashAlg } from '@ari-sidecar/tpm2';
import { fault } from '../../src/base/fault.js';
import { hashWith } from '../hashes.js';

export interface PeSection { readonly name: string; readonly data: Buffer }
export interface PeImage {
  readonly sections: readonly PeSection[];
  /** Authenticode digest: everything but the checksum, the directory entry of the signatures, and the signatures. */
  authenticode(bank: HashAlg): Buffer;
}

/** Parts of the headers that the digest is made of, as offsets into the file. */
interface Layout { readonly checksum: number; readonly directory: number; readonly headers: number; readonly signatures: number }
interface Raw { readonly name: string; readonly size: number; readonly at: number; readonly rawSize: number }

const PE32_PLUS = 0x20b;
const SECTION_BYTES = 40;
/** Zeros that a section may have behind its data: what a file claims is not allocated beyond. */
const MAX_PADDING = 1_048_576;
/** As many as loaders take. */
const MAX_SECTIONS = 96;

const refuse = (what: string): never => { throw fault('usage.wrong', { what: `the file is no PE image: ${what}` }); };

/** @throws Fault usage.wrong with what is wrong with the file */
export function readPe(file: Buffer): PeImage {
  try {
    const pe = file.readUInt32LE(0x3c);
    if (file.toString('latin1', 0, 2) !== 'MZ' || file.toString('latin1', pe, pe + 4) !== 'PE\0\0') refuse('its headers are missing');
    const optional = pe + 24;
    const table = optional + file.readUInt16LE(pe + 20);
    const count = file.readUInt16LE(pe + 6);
    if (count > MAX_SECTIONS) refuse(`${count} sections`);
    const raws = Array.from({ length: count }, (_, i) => readSection(file, table + i * SECTION_BYTES));
    const layout = readLayout(file, optional);
    if (layout.headers + raws.reduce((sum, { rawSize }) => sum + rawSize, 0) > file.length) refuse('its sections overlap');
    return { sections: raws.map((raw) => ({ name: raw.name, data: contents(file, raw) })), authenticode: (bank) => hashWith(bank, Buffer.concat(covered(file, raws, layout))) };
  } catch (error) {
    if (error instanceof RangeError) return refuse('it ends too early');
    throw error;
  }
}

/** PE format, "Optional Header": where the checksum and the certificate table's entry stand. */
function readLayout(file: Buffer, optional: number): Layout {
  const directory = optional + (file.readUInt16LE(optional) === PE32_PLUS ? 112 : 96) + 4 * 8;
  const signatures = file.readUInt32LE(directory + 4);
  if (signatures > file.length) refuse('its signatures reach behind its end');
  return { checksum: optional + 64, directory, headers: file.readUInt32LE(optional + 60), signatures };
}

function readSection(file: Buffer, at: number): Raw {
  const raw = { name: file.toString('latin1', at, at + 8).replace(/\0+$/, ''), size: file.readUInt32LE(at + 8), rawSize: file.readUInt32LE(at + 16), at: file.readUInt32LE(at + 20) };
  if (raw.at + raw.rawSize > file.length) refuse(`section ${raw.name} reaches behind its end`);
  return raw;
}

/** As it stands in memory, zeros behind what the file holds: systemd-stub measures the virtual size. */
function contents(file: Buffer, { name, size, rawSize, at }: Raw): Buffer {
  if (size > rawSize + MAX_PADDING) refuse(`section ${name} is ${size} bytes, ${rawSize} of them in the file`);
  const held = file.subarray(at, at + Math.min(size, rawSize));
  return size > rawSize ? Buffer.concat([held], size) : held;
}

/** "Windows Authenticode Portable Executable Signature Format", Calculating the PE Image Hash. */
function covered(file: Buffer, raws: readonly Raw[], { checksum, directory, headers, signatures }: Layout): Buffer[] {
  const inOrder = raws.filter(({ rawSize }) => rawSize > 0).sort((a, b) => a.at - b.at);
  const end = headers + inOrder.reduce((sum, { rawSize }) => sum + rawSize, 0);
  return [
    file.subarray(0, checksum), file.subarray(checksum + 4, directory), file.subarray(directory + 8, headers),
    ...inOrder.map(({ at, rawSize }) => file.subarray(at, at + rawSize)), file.subarray(end, Math.max(end, file.length - signatures)),
  ];
}
