/**
 * `npm run bench`: measures, prints the tables, writes docs/performance.md and the block of the README.
 *
 *   npm run bench -- --only NAME    one benchmark, printed only (repeatable)
 *   npm run --silent bench -- --json
 */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { BENCHES, type Bench } from './benches.js';
import { type Machine, type Section, document, excerpt, table, withBlock } from './report.js';

const PERFORMANCE = fileURLToPath(new URL('../../docs/performance.md', import.meta.url));
const README = fileURLToPath(new URL('../../README.md', import.meta.url));

const machine: Machine = {
  cores: os.availableParallelism(), cpu: os.cpus()[0]?.model.replace(/\s+/g, ' ').trim() ?? 'unknown', memoryGB: Math.round(os.totalmem() / 2 ** 30), node: process.versions.node,
  platform: `${os.type()} ${os.release().split('.').slice(0, 2).join('.')} ${os.arch()}`,
};

function chosen(names: readonly string[]): readonly Bench[] {
  const unknown = names.find((name) => !BENCHES.some((bench) => bench.name === name));
  if (unknown !== undefined) throw new TypeError(`there is no benchmark ${unknown}: ${BENCHES.map(({ name }) => name).join(', ')}`);
  return names.length === 0 ? BENCHES : BENCHES.filter(({ name }) => names.includes(name));
}

async function measure(benches: readonly Bench[], tell: (text: string) => void): Promise<Section[]> {
  const sections: Section[] = [];
  for (const { name, title, about, run } of benches) {
    tell(`\n${title}\n`);
    const section = { name, title, about, rows: await run() };
    tell(`${table(section.rows)}\n`);
    sections.push(section);
  }
  return sections;
}

function publish(sections: readonly Section[]): void {
  writeFileSync(PERFORMANCE, document(sections, machine));
  const readme = existsSync(README) ? withBlock(readFileSync(README, 'utf8'), excerpt(sections, machine)) : null;
  if (readme !== null) writeFileSync(README, readme);
}

const { values: { only, json } } = parseArgs({ options: { only: { type: 'string', multiple: true, default: [] }, json: { type: 'boolean', default: false } } });
process.setMaxListeners(0); // every child process is ended with this one
const sections = await measure(chosen(only), json ? () => undefined : (text) => process.stdout.write(text));
if (only.length === 0) publish(sections);
if (json) process.stdout.write(`${JSON.stringify({ machine, sections: sections.map(({ name, rows }) => ({ name, rows })) })}\n`);
