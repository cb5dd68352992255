/**
 * Feeds mutated bytes to everything that reads bytes of a stranger, for a given time: `node --import tsx scripts/fuzz.ts [SECONDS] [SEED]`. Prints a table, and
 * for each crash or slow input its bytes. Exit status 1 when there was one. The same seed makes the same inputs.
 */
import { PARSERS, type Parser, outcomeOf } from '../test/fuzz/parsers.js';

/** An input is slow from here on; most take microseconds, and a busy machine stops for some milliseconds. */
const SLOW_MS = 500;
const [seconds = 60, seed = 1] = process.argv.slice(2).map(Number);

/** mulberry32: fast, small, and the same everywhere. */
function randomFrom(state: number): () => number {
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (t ^ (t >>> 14)) >>> 0;
  };
}

type Random = () => number;
const BOMBS = ['ffffffff', '00000000', 'ffffff7f', '7fffffff', '00000080', '80000000', 'ffff', '0000', '00', 'ff', '0100'].map((text) => Buffer.from(text, 'hex'));
const splice = (bytes: Buffer, at: number, remove: number, insert: Buffer): Buffer => Buffer.concat([bytes.subarray(0, at), insert, bytes.subarray(at + remove)]);

const MUTATIONS: readonly ((bytes: Buffer, at: number, random: Random, other: Buffer) => Buffer)[] = [
  (bytes, at, random) => { const copy = Buffer.from(bytes); if (copy.length > 0) copy[at]! ^= 1 << (random() & 7); return copy; },
  (bytes, at, random) => { const bomb = BOMBS[random() % BOMBS.length]!; return splice(bytes, at, bomb.length, bomb); },
  (bytes, at) => bytes.subarray(0, at),
  (bytes, at, random) => splice(bytes, at, random() % 16, Buffer.alloc(0)),
  (bytes, at, random) => splice(bytes, at, 0, bytes.subarray(at, at + (random() % 64))),
  (bytes, at, random, other) => splice(bytes, at, 0, other.subarray(random() % (other.length + 1))),
  (bytes, at, random) => splice(bytes, at, 0, Buffer.from([random(), random(), random()])),
];

function mutated(parser: Parser, random: Random): Buffer {
  const pick = (): Buffer => parser.seeds[random() % Math.max(1, parser.seeds.length)] ?? Buffer.alloc(0);
  let bytes = pick();
  for (let rounds = 1 + (random() % 4); rounds > 0; rounds--) bytes = MUTATIONS[random() % MUTATIONS.length]!(bytes, random() % (bytes.length + 1), random, pick());
  return bytes.subarray(0, 65_536);
}

interface Row { runs: number; answered: number; refused: number; slowestMs: number; bad: string[] }

function tryOnce(parser: Parser, bytes: Buffer, row: Row): void {
  const from = performance.now();
  const outcome = outcomeOf(parser, bytes);
  const ms = performance.now() - from;
  row.runs++;
  row.slowestMs = Math.max(row.slowestMs, ms);
  if (typeof outcome === 'object') row.bad.push(`${String((outcome.crash as Error)?.stack ?? outcome.crash)}\n${bytes.toString('hex')}`);
  else row[outcome]++;
  if (ms > SLOW_MS) row.bad.push(`${ms.toFixed(0)} ms\n${bytes.toString('hex')}`);
}

const rows = new Map(PARSERS.map((parser): [Parser, Row] => [parser, { runs: 0, answered: 0, refused: 0, slowestMs: 0, bad: [] }]));
const random = randomFrom(seed);
const until = performance.now() + seconds * 1000;
while (performance.now() < until) for (const [parser, row] of rows) for (let i = 0; i < 50; i++) tryOnce(parser, mutated(parser, random), row);

const cells = [['parser', 'runs', 'answered', 'refused', 'slowest ms', 'bad'], ...[...rows].map(([{ name }, { runs, answered, refused, slowestMs, bad }]) => [name, runs, answered, refused, slowestMs.toFixed(1), bad.length].map(String))];
const width = (i: number): number => Math.max(...cells.map((row) => row[i]!.length));
process.stdout.write(`${cells.map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(width(0)) : cell.padStart(width(i)))).join('  ')).join('\n')}\n`);
const bad = [...rows].flatMap(([{ name }, row]) => row.bad.slice(0, 3).map((text) => `\n${name}: ${text}`));
process.stdout.write(`seed ${seed}, ${seconds} s: ${bad.length === 0 ? 'nothing crashed, nothing was slow' : 'FOUND'}\n${bad.join('\n')}`);
process.exitCode = bad.length === 0 ? 0 : 1;
