/** Rows as tables: in the terminal, in docs/performance.md and in the README. Machine facts are general: no names, no paths. */
import type { Row, Unit } from './harness.js';

/** A benchmark that was run. `about` says what is compared and how, in a sentence or two. */
export interface Section { readonly name: string; readonly title: string; readonly about: string; readonly rows: readonly Row[] }
export interface Machine { readonly cores: number; readonly cpu: string; readonly memoryGB: number; readonly node: string; readonly platform: string }

const BEGIN = '<!-- bench:begin -->';
const END = '<!-- bench:end -->';

const rounded = (value: number): string => value.toLocaleString('en', { maximumFractionDigits: value < 10 ? 2 : value < 100 ? 1 : 0 });

export function quantity(value: number, unit: Unit): string {
  if (unit === '/s') return `${rounded(value)}/s`;
  if (unit === 'ms' && value < 1) return `${rounded(value * 1000)} µs`;
  return `${rounded(value)} ${unit}`;
}

const besideOf = ({ beside, unit }: Row): string => {
  if (beside === null) return '';
  return `${beside.value === null ? 'not installed here' : quantity(beside.value, unit)}: ${beside.what}`;
};

const ratioText = (ratio: number | null): string => {
  if (ratio === null) return '';
  return ratio < 0.1 ? ratio.toPrecision(1) : rounded(ratio);
};

export function table(rows: readonly Row[]): string {
  const lines = rows.map((row) => `| ${row.what} | ${quantity(row.value, row.unit)} | ${besideOf(row)} | ${ratioText(row.ratio)} |`);
  return ['| what | measured | beside it | ratio |', '|---|--:|---|--:|', ...lines].join('\n');
}

const describe = ({ cores, cpu, memoryGB, node, platform }: Machine): string => `${cores} cores (${cpu}), ${memoryGB} GB, ${platform}, Node ${node}; the TPM is a software TPM (swtpm)`;

/** The whole of docs/performance.md. */
export function document(sections: readonly Section[], machine: Machine): string {
  const parts = sections.map(({ name, title, about, rows }) => `## ${title}\n${about}\n(\`npm run bench -- --only ${name}\`)\n\n${table(rows)}`);
  return `# Performance
Written by \`npm run bench\`; do not edit. Times depend on the machine, so what counts is the ratio: both sides of a row were measured in turn, in the same run, and the ratio is the first
value to the second.
For times and memory less is better, for rates (per second) more. Where both sides were measured in many rounds the ratio is the median over the rounds, which a busy machine moves less than the
two medians themselves.

Measured on ${describe(machine)}. Medians unless said otherwise.

${parts.join('\n\n')}
`;
}

/** What the README shows between its markers. */
export const excerpt = (sections: readonly Section[], machine: Machine): string =>
  `${table(sections.flatMap(({ rows }) => rows.filter((row) => row.headline)))}\n\nMeasured by \`npm run bench\` on ${describe(machine)}. The ratio is the first value to the second. All rows: [docs/performance.md](docs/performance.md).`;

/** The text with its block replaced; null when it has no such block. */
export function withBlock(text: string, block: string): string | null {
  const [from, to] = [text.indexOf(BEGIN), text.indexOf(END)];
  if (from === -1 || to < from) return null;
  return `${text.slice(0, from + BEGIN.length)}\n${block}\n${text.slice(to)}`;
}
