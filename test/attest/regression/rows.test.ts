/** Every row of the two tables has a regression test under its name, or a reason why it needs none. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ATTACKS, CVES, OUTSIDE } from './rows.js';

const sources = readdirSync(import.meta.dirname).filter((name) => name.endsWith('.test.ts')).map((name) => readFileSync(join(import.meta.dirname, name), 'utf8'));
const tested = new Set(sources.flatMap((text) => [...text.matchAll(/^\s*row\('([^']+)'/gm)].map(([, name]) => name!)));

it.each([['CVE', CVES], ['attack', ATTACKS]] as const)('every known %s is tested, or cannot touch this project', (_, table) => {
  const open = table.filter((name) => tested.has(name) === Object.hasOwn(OUTSIDE, name));
  expect(open, 'neither, or both').toEqual([]);
  expect(new Set(table).size).toBe(table.length);
});
