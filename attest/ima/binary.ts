/** binary_runtime_measurements: PCR (32 bits), digest, length and name of the template, length and template data; little-endian. */
import { Fault, fault } from '../../src/base/fault.js';
import { Cursor } from '../cursor.js';
import { DIGEST_SIZES, IMA_LIMITS, type RawEntry } from './list.js';
import { OLD, fieldsOf, oldData, splitFields } from './template.js';

const PCR_BYTES = 4;

/**
 * @param end 'cut': an entry that cannot be read ends the list before it, unless it is the first
 * @throws Fault ima.malformed, ima.too_large
 */
export function readBinary(bytes: Uint8Array, end: 'whole' | 'cut' = 'whole'): RawEntry[] {
  const cursor = new Cursor(bytes, 'ima.malformed');
  const size = digestSize(cursor);
  const entries: RawEntry[] = [];
  try {
    while (cursor.left >= PCR_BYTES) {
      if (entries.length === IMA_LIMITS.entries) throw fault('ima.too_large', { size: entries.length, max: IMA_LIMITS.entries });
      entries.push(readEntry(cursor, size));
    }
  } catch (error) {
    if (end === 'whole' || entries.length === 0 || !(error instanceof Fault)) throw error;
  }
  return entries;
}

/** How long digests are, no list says: the first entry has a template name behind its digest. */
function digestSize({ bytes }: Cursor): number {
  const named = DIGEST_SIZES.find((size) => {
    const at = 4 + size;
    const length = bytes.length >= at + 4 ? bytes.readUInt32LE(at) : 0;
    return length > 0 && length <= IMA_LIMITS.name && isName(bytes.subarray(at + 4, at + 4 + length));
  });
  return named ?? DIGEST_SIZES[0];
}

const isName = (name: Buffer): boolean => /^[a-z0-9|-]+$/.test(name.toString('latin1'));

function readEntry(cursor: Cursor, size: number): RawEntry {
  const start = cursor.pos;
  const pcr = cursor.u32('the PCR');
  if (pcr > 23) cursor.fail(`PCR ${pcr}`, cursor.pos - 4);
  const logged = cursor.take(size, 'the template hash');
  const name = cursor.sized('the template name', IMA_LIMITS.name);
  if (!isName(name)) cursor.fail('a template name with other characters than a-z 0-9 - |', cursor.pos - name.length);
  const template = name.toString('latin1');
  const read = template === OLD ? readOld(cursor) : readFields(cursor, template);
  return { pcr, size: cursor.pos - start, template, logged, ...read };
}

function readFields(cursor: Cursor, template: string): Pick<RawEntry, 'data' | 'fields'> {
  const data = cursor.sized('the template data', IMA_LIMITS.data);
  const names = fieldsOf(template);
  return { data, fields: names === null ? null : splitFields(names, data, cursor.pos - data.length) };
}

/** The old template has no length of its own, and its digest has none either. */
function readOld(cursor: Cursor): Pick<RawEntry, 'data' | 'fields'> {
  const d = cursor.take(20, 'the digest');
  const n = cursor.sized('the name', 255);
  return { data: oldData(d, n), fields: { d, n } };
}
