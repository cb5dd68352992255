import { CARRIER_STATES } from '../../src/names.js';
import type { Source } from './sources.js';

/** Where a code is spoken: made into a fault or finding, or logged. */
const SPOKEN = /(?:\b(?:fault|finding|Fault)\(\s*|\bcode(?::|\s*[!=]==)\s*)'([^']+)'/g;
const LITERAL = /'([a-z][a-z0-9]*\.[a-z][a-z0-9_]*)'/g;
/** The one code that is put together: a carrier's state is its reason. */
const COMPOSED = '`carrier.${state}`';

const all = (sources: readonly Source[], pattern: RegExp): string[] => sources.flatMap(({ text }) => [...text.matchAll(pattern)].map((match) => match[1]!));

/** Codes that are spoken somewhere and stand in no row, as `path: code`. */
export const unknownCodes = (sources: readonly Source[], known: ReadonlySet<string>): string[] =>
  sources.flatMap((source) => all([source], SPOKEN).filter((code) => code.includes('.') && !known.has(code)).map((code) => `${source.path}: ${code}`));

/** Rows that nothing speaks. */
export function unusedCodes(sources: readonly Source[], known: ReadonlySet<string>): string[] {
  const used = new Set(all(sources, LITERAL));
  if (sources.some(({ text }) => text.includes(COMPOSED))) for (const state of CARRIER_STATES) used.add(`carrier.${state}`);
  return [...known].filter((code) => !used.has(code));
}
