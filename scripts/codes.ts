/** Writes docs/codes.md from the table of codes: `node --import tsx scripts/codes.ts`. */
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CODES } from '../src/codes.js';

/** Where the page stands. */
export const PAGE = fileURLToPath(new URL('../docs/codes.md', import.meta.url));

const KINDS = {
  decision: 'policy said no, or asked the user: a value, signed into the decision',
  finding: 'what an appraisal saw: a value, all of them are gathered',
  fault: 'hostile input, device or network: an error',
  bug: 'an error of this program',
} as const;

const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');
const roomOf = (code: string): string => code.slice(0, code.indexOf('.'));

/** One table per room, in the order of the source: the order in which one of several findings is named first. */
export function codesPage(): string {
  const rows = Object.entries(CODES);
  const rooms = [...new Set(rows.map(([code]) => roomOf(code)))];
  const head = [
    '# Codes', '', 'Each answer that is not "yes" has one of these codes. They are stable: they are signed into decisions and deposited.', 'This page is generated from `src/codes.ts` by `scripts/codes.ts`.', '',
    '| kind | meaning |', '|---|---|', ...Object.entries(KINDS).map(([kind, meaning]) => `| ${kind} | ${meaning} |`),
  ];
  const tables = rooms.flatMap((room) => [
    '', `## ${room}`, '', '| code | kind | HTTP | points to | says | what to do |', '|---|---|---|---|---|---|',
    ...rows.filter(([code]) => roomOf(code) === room).map(([code, { kind, status, blame, sentence, fix }]) => `| \`${code}\` | ${kind} | ${status} | ${blame} | ${cell(sentence)} | ${cell(fix)} |`),
  ]);
  return `${[...head, ...tables].join('\n')}\n`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(PAGE, codesPage());
