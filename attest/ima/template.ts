/**
 * IMA templates: what an entry of the measurement list is made of (Linux, Documentation/security/IMA-templates.rst). The kernel hashes the fields, each
 * behind its length; the old template "ima" alone hashes a digest and a name padded to 256 bytes.
 */
import { Cursor } from '../cursor.js';

/** The format strings behind the names. Any other name must itself be a format string (`d-ng|sig`). */
const TEMPLATES: Readonly<Record<string, string>> = {
  ima: 'd|n', 'ima-ng': 'd-ng|n-ng', 'ima-sig': 'd-ng|n-ng|sig', 'ima-ngv2': 'd-ngv2|n-ng', 'ima-sigv2': 'd-ngv2|n-ng|sig', 'ima-buf': 'd-ng|n-ng|buf',
  'ima-modsig': 'd-ng|n-ng|sig|d-modsig|modsig', 'evm-sig': 'd-ng|n-ng|evmsig|xattrnames|xattrlengths|xattrvalues|iuid|igid|imode',
};
const FIELDS = ['d', 'n', 'd-ng', 'd-ngv2', 'n-ng', 'sig', 'buf', 'd-modsig', 'modsig', 'evmsig', 'xattrnames', 'xattrlengths', 'xattrvalues', 'iuid', 'igid', 'imode'] as const;
export type FieldName = (typeof FIELDS)[number];
const isField = (name: string): name is FieldName => (FIELDS as readonly string[]).includes(name);

/** The old template, whose data has its own form. */
export const OLD = 'ima';

/** The fields of a template in order; null when it is unknown here: such an entry is extended and replayed, and says nothing. */
export function fieldsOf(template: string): readonly FieldName[] | null {
  const names = (Object.hasOwn(TEMPLATES, template) ? TEMPLATES[template]! : template).split('|');
  return names.every(isField) ? names : null;
}

export type FieldValues = Partial<Record<FieldName, Buffer>>;

/** The fields of template data: length (32 bits, little-endian) and bytes, exactly to the end. @throws Fault ima.malformed */
export function splitFields(names: readonly FieldName[], data: Buffer, offset: number): FieldValues {
  const cursor = new Cursor(data, 'ima.malformed', offset);
  const values: FieldValues = {};
  for (const name of names) values[name] = cursor.sized(`field ${name}`);
  if (cursor.left > 0) cursor.fail(`${cursor.left} bytes behind the last field`);
  return values;
}

/** Template data from fields: the inverse of {@link splitFields}. */
export function joinFields(values: readonly Buffer[]): Buffer {
  return Buffer.concat(values.flatMap((value) => [lengthOf(value), value]));
}

function lengthOf(value: Buffer): Buffer {
  const length = Buffer.alloc(4);
  length.writeUInt32LE(value.length);
  return length;
}

/** IMA_EVENT_NAME_LEN_MAX and its NUL. */
const OLD_NAME_BYTES = 256;
/** Template data of "ima" as the kernel hashes it: the digest, and the name in 256 bytes. */
export const oldData = (digest: Buffer, name: Buffer): Buffer => Buffer.concat([digest, name, Buffer.alloc(Math.max(0, OLD_NAME_BYTES - name.length))]);

/** A digest field: `sha256:` NUL digest, in ngv2 with a kind before it (`ima:`, `verity:`). */
export interface FileDigest { readonly kind: 'ima' | 'verity'; readonly alg: string; readonly digest: Buffer }

/** What was measured of the file; null when the field is none or is of an unknown form. */
export function digestOf(values: FieldValues): FileDigest | null {
  if (values.d !== undefined) return { kind: 'ima', alg: 'sha1', digest: values.d };
  const field = values['d-ngv2'] ?? values['d-ng'];
  const end = field?.indexOf(0) ?? -1;
  if (field === undefined || end < 0) return null;
  const [, kind = 'ima', alg] = /^(?:(ima|verity):)?([a-z0-9_-]{1,16}):$/.exec(field.toString('latin1', 0, end)) ?? [];
  return alg === undefined ? null : { kind: kind as FileDigest['kind'], alg, digest: field.subarray(end + 1) };
}

/** The path as the kernel saw it, without its NUL; null when the template has none. Bytes that are no UTF-8 become U+FFFD. */
export function pathOf(values: FieldValues): string | null {
  const field = values['n-ng'] ?? values.n;
  return field === undefined ? null : field.toString('utf8').replace(/\0$/, '');
}
