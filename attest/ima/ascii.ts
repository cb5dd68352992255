/** ascii_runtime_measurements: `10 template-hash template-name field field ...`, one entry per line. Names have no spaces: the kernel writes `_` for them. */
import { fault } from '../../src/base/fault.js';
import { DIGEST_SIZES, IMA_LIMITS, type RawEntry } from './list.js';
import { type FieldName, OLD, fieldsOf, joinFields, oldData } from './template.js';

const LINE = /^(\d{1,2}) ([0-9a-f]+) ([a-z0-9|-]{1,64})(?: (.*))?$/;

/** @throws Fault ima.malformed with the line, ima.too_large */
export function readAscii(bytes: Uint8Array): RawEntry[] {
  const lines = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1').split('\n', IMA_LIMITS.entries + 1);
  if (lines.length > IMA_LIMITS.entries) throw fault('ima.too_large', { size: lines.length, max: IMA_LIMITS.entries });
  if (lines.at(-1) === '') lines.pop();
  return lines.map((line, i) => readLine(line, (what) => { throw fault('ima.malformed', { what: `line ${i + 1}: ${what}` }); }));
}

type Fail = (what: string) => never;

function readLine(line: string, fail: Fail): RawEntry {
  const [, pcr, digest, template, text = ''] = LINE.exec(line) ?? fail('no entry of a measurement list');
  const logged = Buffer.from(digest!, 'hex');
  if (!(DIGEST_SIZES as readonly number[]).includes(logged.length) || digest!.length !== 2 * logged.length) fail('a template hash of an unknown size');
  if (Number(pcr) > 23) fail(`PCR ${pcr}`);
  const names = fieldsOf(template!) ?? fail(`the template ${template}, whose text cannot be read back`);
  const words = text.split(' ');
  if (words.length > names.length) fail(`${words.length} fields where the template ${template} has ${names.length}`);
  const values = names.map((name, i) => fieldBytes(name, words[i] ?? '', fail));
  const data = template === OLD ? oldData(values[0]!, values[1]!) : joinFields(values);
  if (data.length > IMA_LIMITS.data) fail('too many bytes');
  return { pcr: Number(pcr), size: line.length + 1, template: template!, logged, data, fields: Object.fromEntries(names.map((name, i) => [name, values[i]!])) };
}

/** A field's bytes from its text. */
function fieldBytes(name: FieldName, word: string, fail: Fail): Buffer {
  if (name === 'n') return Buffer.from(word, 'latin1');
  if (name === 'n-ng') return Buffer.from(`${word}\0`, 'latin1');
  if (name === 'd-ng' || name === 'd-ngv2' || name === 'd-modsig') return word === '' ? Buffer.alloc(0) : namedDigest(word, fail);
  return hexBytes(word, fail);
}

function namedDigest(word: string, fail: Fail): Buffer {
  const at = word.lastIndexOf(':');
  return Buffer.concat([Buffer.from(`${word.slice(0, at + 1)}\0`, 'latin1'), hexBytes(word.slice(at + 1), fail)]);
}

function hexBytes(word: string, fail: Fail): Buffer {
  return /^(?:[0-9a-f]{2})*$/.test(word) ? Buffer.from(word, 'hex') : fail('a field that is no hex');
}
