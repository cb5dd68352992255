/** What a person or a program sees: text with colours on a terminal only, or one JSON object with `--json`. */
import type { Json } from '../src/base/json.js';

const COLOURS = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const;
export type Colour = keyof typeof COLOURS;

/** True when escape sequences are welcome (https://no-color.org is heard). */
export const colourful = (stream: NodeJS.WriteStream = process.stdout): boolean => stream.isTTY === true && process.env['NO_COLOR'] === undefined && process.env['TERM'] !== 'dumb';

export const paint = (colour: Colour, text: string, on = colourful()): string => (on ? `\u001b[${COLOURS[colour]}m${text}\u001b[0m` : text);

/** Prints a result: as JSON when asked, else as text. */
export function show(result: Json, options: { json?: boolean | undefined }, asText: () => string): void {
  process.stdout.write(`${options.json ? JSON.stringify(result) : asText()}\n`);
}

/** A member of a JSON answer as a word of a line. */
export const word = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value) ?? '');

/** The same of what others wrote, a device or an agent: without control characters, which a terminal would obey, and not long. */
export const plain = (value: unknown): string => word(value).replace(/\p{Cc}/gu, '?').slice(0, 512);

/** Two columns, the first as wide as its longest word. */
export function table(rows: [string, string][]): string {
  const width = Math.max(0, ...rows.map(([left]) => left.length));
  return rows.map(([left, right]) => `${left.padEnd(width)}  ${right}`).join('\n');
}

