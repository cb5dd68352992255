/** JSON lines that carry bigint as `"12n"`. */
export const toLine = (value: unknown): string => `${JSON.stringify(value, (_, part: unknown) => (typeof part === 'bigint' ? `${part}n` : part))}\n`;
export const fromLine = (line: string): unknown => JSON.parse(line, (_, part: unknown) => (typeof part === 'string' && /^-?\d+n$/.test(part) ? BigInt(part.slice(0, -1)) : part));
