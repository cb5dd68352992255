import { expect } from 'vitest';
import { type ImaEntry, digestOf, formatOf, isHonest, parseIma, pathOf, replayIma } from '../../attest/ima/index.js';
import { codeOf } from '../support/fault.js';
import { type Vector, read, runVectors, skip, vectorsOf } from './run.js';

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

const NO_SHA1 = 'TPM 2.0 Part 3 section 22.2, TPM2_PCR_Extend: a digest has the size of its bank. The 32 bytes of this list cannot be extended into SHA-1; the template data can, hashed';
runVectors('ima-log', vectorsOf('ima-log'), check, { 'ima-keylime-sm3_256': NO_SHA1, 'ima-keylime-unknown': NO_SHA1 });
