import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { LEVEL_ROWS } from '../../../src/law/index.js';
import { LEVELS } from '../../../src/names.js';

const PAYMENTS = { one: '1', said: 'as the mandate says, else 1', any: 'as the mandate says, else any' };

it('docs/levels.md shows the levels as they are', () => {
  const page = readFileSync(new URL('../../../docs/levels.md', import.meta.url), 'utf8');
  for (const level of LEVELS) {
    const row = LEVEL_ROWS[level];
    const cells = [level, row.starter, row.approver, PAYMENTS[row.payments], row.task ? 'yes' : 'no', row.minTier ?? '-', row.ifDoubt, row.obligations.join(', ')];
    expect(page).toContain(`| ${cells.join(' | ')} |`);
  }
});
