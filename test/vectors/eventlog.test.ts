import { expect } from 'vitest';
import { EV, compare, parseBootLog, replay, typeName } from '../../attest/boot/index.js';
import { codeOf } from '../support/fault.js';
import { type Vector, read, readJson, runVectors, skip, vectorsOf } from './run.js';

type Table = Record<string, Record<string, string>>;
interface Expected {
  parse?: 'ok' | 'error'; is?: string; vectors?: number; format?: string; algs?: Record<string, number>; events?: number; startupLocality?: number | null; trailingBytes?: number;
  replayedPcrs?: Table; sourceTestPcrs?: Table; sourcePcrsMatchReplay?: 'all' | { mismatch: string[] }; machinePcrs?: Table; pcrsNotMatchingReplay?: Record<string, string[]>;
}

const hexOf = (pcrs: ReadonlyMap<number, Buffer>): Record<string, string> => Object.fromEntries([...pcrs].sort(([a], [b]) => a - b).map(([pcr, value]) => [String(pcr), value.toString('hex')]));

function check({ file, expected }: Vector<Expected>): void {
  if (expected.vectors !== undefined) return skip('run case by case below');
  if (file.endsWith('.json')) return decodedEvents(file);
  if (file.endsWith('.yaml')) return decodedNames(file);
  if (expected.is !== undefined) return skip(`no log: ${expected.is}`);
  const bytes = read(file);
  if (expected.parse === 'error') return expect(codeOf(() => parseBootLog(bytes))).toBe('boot.malformed');
  const log = parseBootLog(bytes);
  expect({ events: log.events.length, startupLocality: log.startupLocality, trailingBytes: log.trailingBytes, format: log.format })
    .toEqual({ events: expected.events, startupLocality: expected.startupLocality, trailingBytes: expected.trailingBytes, format: expected.format === 'tcg1.2' ? 'tcg-sha1' : 'tcg-agile' });
  expect(log.registers).toBe('pcr');
  expect([...log.banks].sort()).toEqual(Object.keys(expected.algs!).sort());
  for (const bank of log.banks) expect(hexOf(replay(log, bank))).toEqual(expected.replayedPcrs?.[bank] ?? {});
  machine(log, expected);
}

/** The events as guard-oss decoded them. It counts the event of PCR FFFFFFFF in a SHA-1 log, and not the Spec ID of an agile one. */
function decodedEvents(file: string): void {
  const events = parseBootLog(read(file.replace(/\.json$/, ''))).events.filter(({ n, type }) => n > 0 || type !== EV.noAction);
  const decoded = readJson<{ Index: number; Type: number; Data: string | null }[]>(file).filter(({ Type }, i) => i > 0 || Type !== EV.noAction).slice(0, events.length);
  expect(events.map(({ pcr, type, data }) => [pcr, type, data.toString('base64')])).toEqual(decoded.map(({ Index, Type, Data }) => [Index, Type, Data ?? '']));
}

/** PCRs, types and sizes as tpm2_eventlog decoded them. */
function decodedNames(file: string): void {
  const yaml = read(file).toString('utf8');
  const words = (pattern: RegExp): string[] => [...yaml.matchAll(pattern)].map(([, word]) => word!);
  const { events } = parseBootLog(read(file.replace('event-pretty/', '').replace(/\.yaml$/, '')));
  expect(events.map(({ pcr }) => String(pcr))).toEqual(words(/^ {2}PCRIndex: (\d+)/gm));
  expect(events.map(({ type }) => typeName(type))).toEqual(words(/^ {2}EventType: (\S+)/gm));
  expect(events.map(({ data }) => String(data.length))).toEqual(words(/^ {2}EventSize: (\d+)/gm));
}

/** What the machine's own PCRs say. */
function machine(log: ReturnType<typeof parseBootLog>, { machinePcrs, pcrsNotMatchingReplay }: Expected): void {
  for (const bank of log.banks) {
    const values = Object.entries(machinePcrs?.[bank] ?? {}).map(([pcr, value]) => [Number(pcr), Buffer.from(value, 'hex')] as const);
    const differing = compare(log, bank, new Map(values)).filter(({ standing, quirk }) => standing === 'differs' || quirk !== null).map(({ pcr }) => String(pcr));
    if (values.length > 0) expect(differing.sort()).toEqual([...(pcrsNotMatchingReplay?.[bank] ?? [])].sort());
  }
}

runVectors('tpm-eventlog', vectorsOf('tpm-eventlog'), check);

interface Edge { id: string; name: string; specIdEventHex?: string; logHex?: string; event2Hex?: string; algs?: number[] | null; result: string }
const SPEC_SHA256 = '53706563204944204576656e74303300000000000002000801000000 0b00 2000 00'.replaceAll(' ', '');
const u32 = (value: number): string => { const bytes = Buffer.alloc(4); bytes.writeUInt32LE(value >>> 0); return bytes.toString('hex'); };
const specIdEvent = (data: string): string => `${u32(0)}${u32(3)}${'00'.repeat(20)}${u32(data.length / 2)}${data}`;

/** go-attestation's own cases: the Spec ID event, and events of hostile sizes. */
function edge({ specIdEventHex, logHex, event2Hex, result }: Edge): void {
  const hex = logHex ?? (event2Hex === undefined ? specIdEvent(specIdEventHex!) : specIdEvent(SPEC_SHA256) + event2Hex);
  const parse = () => parseBootLog(Buffer.from(hex, 'hex'));
  if (result.startsWith('error')) return expect(codeOf(parse)).toBe('boot.malformed');
  const { events } = parse();
  expect(events.length).toBe(event2Hex === undefined ? 1 : 2);
  if (specIdEventHex === undefined) expect(events.at(-1)!.data.length).toBe(0);
}

const edges = vectorsOf('tpm-eventlog').filter(({ expected }) => expected.vectors !== undefined).flatMap(({ file }) => readJson<Edge[]>(file));
runVectors('tpm-eventlog', edges.map((each) => ({ ...each, id: each.name })), edge);
