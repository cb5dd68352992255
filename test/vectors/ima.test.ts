import { expect } from 'vitest';
import { compare, parseBootLog } from '../../attest/boot/index.js';
import { type ImaEntry, coverage, digestOf, formatOf, imaStart, isHonest, parseIma, pathOf, replayIma } from '../../attest/ima/index.js';
import { codeOf } from '../support/fault.js';
import { type Vector, read, readJson, runVectors, skip, vectorsOf } from './run.js';

interface Row { digest: string; name: string; templateHash: string }
interface Expected {
  is?: string; entries?: number; digestLen?: number; templates?: Record<string, number>; violations?: number; templateHashMismatches?: number; first?: Row; last?: Row;
  replay?: { sha1: Record<string, string>; sha256: Record<string, string>; sha256PaddedSha1: Record<string, string> };
  realPcrs?: Record<string, Record<string, string>>; lines?: number; templateHashOk?: number; pcr10Sha1Replay?: string; expect?: string;
}

const hexOf = (pcrs: ReadonlyMap<number, Buffer>): Record<string, string> => Object.fromEntries([...pcrs].map(([pcr, value]) => [String(pcr), value.toString('hex')]));
const count = <T>(all: readonly T[], key: (each: T) => string): Record<string, number> => all.reduce<Record<string, number>>((sum, each) => ({ ...sum, [key(each)]: (sum[key(each)] ?? 0) + 1 }), {});

function rowOf({ fields, logged }: ImaEntry): Row {
  const digest = fields === null ? null : digestOf(fields);
  return { digest: `${digest?.alg}:${digest?.digest.toString('hex')}`, name: (fields === null ? null : pathOf(fields)) ?? '', templateHash: logged.toString('hex') };
}

function check(vector: Vector<Expected>): void {
  const { expected, file } = vector;
  if (expected.expect === 'reject') return expect(codeOf(() => parseIma('ima-ascii', read(file)))).toBe('ima.malformed');
  if (file.endsWith('h12ssl_pcrs.json')) return machine(file);
  if (file.endsWith('ascii_measurements')) return ascii(vector);
  if (expected.is !== undefined) return skip(`no list: ${expected.is}`);
  const bytes = read(file);
  const entries = parseIma(formatOf(bytes), bytes);
  return expected.lines === undefined ? binary(entries, expected) : lines(entries, expected);
}

function binary(entries: readonly ImaEntry[], expected: Expected): void {
  expect({ entries: entries.length, violations: entries.filter(({ violation }) => violation).length, wrong: entries.filter((entry) => !isHonest(entry)).length })
    .toEqual({ entries: expected.entries, violations: expected.violations, wrong: expected.templateHashMismatches });
  expect(count(entries, ({ template }) => template)).toEqual(expected.templates);
  expect(entries[0]!.logged.length).toBe(expected.digestLen);
  expect({ sha1: hexOf(replayIma(entries, 'sha1', 'own')), sha256: hexOf(replayIma(entries, 'sha256', 'own')), sha256PaddedSha1: hexOf(replayIma(entries, 'sha256', 'padded')) }).toEqual(expected.replay);
  expect({ first: rowOf(entries[0]!), last: rowOf(entries.at(-1)!) }).toEqual({ first: expected.first, last: expected.last });
}

function lines(entries: readonly ImaEntry[], expected: Expected): void {
  expect(entries.length).toBe(expected.lines);
  expect(entries.filter((entry) => !entry.violation && isHonest(entry)).length).toBe(expected.templateHashOk);
  expect(hexOf(replayIma(entries, 'sha1', 'own'))['10']).toBe(expected.pcr10Sha1Replay);
}

/** The list as text says what the binary one beside it says: its first entries are the same, byte for byte of the template data. */
function ascii({ file, expected }: Vector<Expected>): void {
  if (expected.entries === undefined) return lines(parseIma('ima-ascii', read(file)), expected);
  const entries = parseIma('ima-ascii', read(file));
  const twin = parseIma('ima-binary', read(file.replace('ascii', 'binary')));
  expect(entries.length).toBe(expected.entries);
  expect(entries.slice(0, twin.length).map(({ data }) => data.toString('hex'))).toEqual(twin.map(({ data }) => data.toString('hex')));
}

/** A real machine whole: its boot log gives PCRs 0 to 9 and 14, its IMA list runs one entry ahead of PCR 10. Both forms of the list say the same. */
function machine(file: string): void {
  const pcrs = readJson<Record<'sha1' | 'sha256', Record<string, string>>>(file);
  const beside = (name: string): Buffer => read(file.replace('derived/h12ssl_pcrs.json', `apisrv/test/h12ssl.${name}`));
  for (const bank of ['sha1', 'sha256'] as const) {
    const values = new Map(Object.entries(pcrs[bank]).map(([pcr, value]) => [Number(pcr), Buffer.from(value, 'hex')]));
    const verdicts = compare(parseBootLog(beside('bios_measurements')), bank, values);
    expect(verdicts.filter(({ standing }) => standing === 'replayed').map(({ pcr }) => pcr)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 14]);
    expect(verdicts.filter(({ standing }) => standing === 'other').map(({ pcr }) => pcr)).toEqual([10]);
  }
  for (const [format, name] of [['ima-binary', 'binary_measurements'], ['ima-ascii', 'ascii_measurements']] as const) {
    expect(coverage(parseIma(format, beside(name)), 'sha1', imaStart('sha1'), Buffer.from(pcrs.sha1['10']!, 'hex'))).toMatchObject({ head: { how: 'own' }, covered: { length: 2364 } });
  }
}

const NO_SHA1 = 'TPM 2.0 Part 3 section 22.2, TPM2_PCR_Extend: a digest has the size of its bank. The 32 bytes of this list cannot be extended into SHA-1; the template data can, hashed';
runVectors('ima-log', vectorsOf('ima-log'), check, { 'ima-keylime-sm3_256': NO_SHA1, 'ima-keylime-unknown': NO_SHA1 });
