import type { Reporter, TestCase, TestModule } from 'vitest/node';
import type { Outcome } from './run.js';

/** Prints, at the end of the run, one table of all foreign data: per category run, agree, disagree and skipped, and below it why. */
export default class VectorTable implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const outcomes = modules.flatMap((module) => [...module.children.allTests()].map(outcomeOf)).filter((outcome) => outcome !== null);
    if (outcomes.length > 0) process.stdout.write(`${tableOf(outcomes)}\n`);
  }
}

/** A test that notes nothing is one check of its file. */
function outcomeOf(test: TestCase): Outcome | null {
  const { vector } = test.meta();
  if (vector !== undefined) return vector;
  const { state } = test.result();
  const category = test.module.moduleId.split('/').at(-1)!.replace('.test.ts', '');
  if (state === 'skipped') return { category, id: test.fullName, outcome: 'skipped', why: 'the data is not here' };
  return state === 'passed' ? { category, id: test.fullName, outcome: 'agree' } : { category, id: test.fullName, outcome: 'disagree', why: 'NOT EXPLAINED' };
}

export function tableOf(outcomes: readonly Outcome[]): string {
  const rows = [...new Set(outcomes.map(({ category }) => category))].sort().map((category) => {
    const of = (outcome?: Outcome['outcome']): string => String(outcomes.filter((each) => each.category === category && (outcome === undefined || each.outcome === outcome)).length);
    return [category, String(Number(of()) - Number(of('skipped'))), of('agree'), of('disagree'), of('skipped')];
  });
  const all = [['foreign data', 'run', 'agree', 'disagree', 'skipped'], ...rows];
  const width = (i: number): number => Math.max(...all.map((row) => row[i]!.length));
  const lines = all.map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(width(0)) : cell.padStart(width(i)))).join('  '));
  return ['', ...lines, ...reasonsOf(outcomes)].join('\n');
}

/** Each reason once, with how many it is for and the first of them. */
function reasonsOf(outcomes: readonly Outcome[]): string[] {
  const groups = new Map<string, string[]>();
  for (const { category, id, outcome, why } of outcomes.filter((each) => each.outcome !== 'agree')) {
    const key = `${outcome.padEnd(8)}  ${category}: ${why}`;
    groups.set(key, [...(groups.get(key) ?? []), id]);
  }
  return groups.size === 0 ? [] : ['', ...[...groups].sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, ids]) => `${key}  [${ids.slice(0, 3).join(', ')}${ids.length > 3 ? ` and ${ids.length - 3} more` : ''}]`)];
}
