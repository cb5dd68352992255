import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, describe, it } from 'vitest';
import { VECTORS, vectorTitle } from '../support/vectors.js';

/** A file of the collection as its INDEX.json describes it. `expected` is what is known to be true of it. */
export interface Vector<E = any> { readonly id: string; readonly category: string; readonly file: string; readonly size: number; readonly load: string; readonly expected: E }
/** How a vector came out, in the table at the end of the run. `why`: the line of a specification for a disagreement, the reason of a skip. */
export interface Outcome { readonly category: string; readonly id: string; readonly outcome: 'agree' | 'disagree' | 'skipped'; readonly why?: string }

declare module 'vitest' {
  interface TaskMeta { vector?: Outcome }
}

export const read = (path: string): Buffer => readFileSync(join(VECTORS!, path));
export const readJson = <T = any>(path: string): T => JSON.parse(read(path).toString('utf8')) as T;
const index: Vector[] = VECTORS === null ? [] : readJson<Vector[]>('INDEX.json');
export const vectorsOf = (category: string): Vector[] => index.filter((vector) => vector.category === category);

/** Thrown by a check for what it cannot look at. */
class Skipped extends Error {}
export const skip = (why: string): never => { throw new Skipped(why); };

/**
 * Runs a check over cases and notes each outcome for the table. A disagreement fails, unless `explained` has a line of a specification for it; an
 * explanation that is no longer needed fails too.
 */
export function runVectors<V extends { id: string }>(category: string, vectors: readonly V[], check: (vector: V) => void, explained: Readonly<Record<string, string>> = {}): void {
  describe.skipIf(VECTORS === null)(vectorTitle(category), () => {
    it.for(vectors)('$id', (vector, { task }) => run(category, vector, check, explained[vector.id], task));
  });
}

function run<V extends { id: string }>(category: string, vector: V, check: (vector: V) => void, explanation: string | undefined, task: TestContext['task']): void {
  const note = (outcome: Outcome['outcome'], why?: string): void => { task.meta.vector = { category, id: vector.id, outcome, ...(why === undefined ? {} : { why }) }; };
  try {
    check(vector);
  } catch (error) {
    if (error instanceof Skipped) return note('skipped', error.message);
    if (explanation !== undefined) return note('disagree', explanation);
    note('disagree', 'NOT EXPLAINED');
    throw error;
  }
  note('agree');
  if (explanation !== undefined) throw new Error(`${vector.id} agrees: its explanation is no longer needed`);
}
