/** Measures side by side: what is compared runs in turn, so that a busy moment of the machine falls on all alike. */

export type Unit = 'ms' | '/s' | 'MB/s' | 'MB' | 'bytes';

/** One line of a table. `beside` is what the value is measured against: `value` null when it could not be run here. `ratio` is value to value. */
export interface Row {
  readonly what: string;
  readonly value: number;
  readonly unit: Unit;
  readonly beside: { readonly what: string; readonly value: number | null } | null;
  readonly ratio: number | null;
  /** Shown in the README too. */
  readonly headline: boolean;
}

/** Milliseconds per call, by what was called; samples of equal index were taken next to each other. */
export type Samples<K extends string> = Readonly<Record<K, readonly number[]>>;

export function percentile(samples: readonly number[], p: number): number {
  if (samples.length === 0) throw new RangeError('a percentile of nothing');
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((p / 100) * sorted.length) - 1)]!;
}

export const median = (samples: readonly number[]): number => percentile(samples, 50);

/** The median of the ratios of neighbours: what slows both cancels. */
export const ratioOf = (these: readonly number[], those: readonly number[]): number => median(these.map((value, i) => value / those[i]!));

/** How long a call takes, ms. */
export async function timed(work: () => unknown): Promise<number> {
  const from = performance.now();
  const result = work();
  if (result instanceof Promise) await result;
  return performance.now() - from;
}

/** How long each of several calls takes, one after another. */
export async function eachOf(calls: number, work: () => unknown): Promise<number[]> {
  const samples: number[] = [];
  for (let call = 0; call < calls; call++) samples.push(await timed(work));
  return samples;
}

/** How long a call takes on average, over several in a row: for work that is shorter than the clock is fine. */
async function meanOf(calls: number, work: () => unknown): Promise<number> {
  const from = performance.now();
  for (let call = 0; call < calls; call++) {
    const result = work();
    if (result instanceof Promise) await result;
  }
  return (performance.now() - from) / calls;
}

/** Runs the works in turn, `rounds` times, each `calls` times in a row, after `warm` rounds that do not count: what is compared is a process that runs for long. */
export async function interleave<K extends string>(works: Readonly<Record<K, () => unknown>>, { rounds, calls = 1, warm = 1 }: { rounds: number; calls?: number; warm?: number }): Promise<Samples<K>> {
  const names = Object.keys(works) as K[];
  const samples = Object.fromEntries(names.map((name) => [name, [] as number[]])) as Record<K, number[]>;
  for (let round = -warm; round < rounds; round++) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      const mean = await meanOf(calls, works[name]);
      if (round >= 0) samples[name].push(mean);
    }
  }
  return samples;
}

interface Options { beside?: { what: string; value: number | null }; ratio?: number; headline?: boolean }

/** A row; the ratio is that of the two values unless it was measured pair by pair. */
export function row(what: string, value: number, unit: Unit, { beside, ratio, headline = false }: Options = {}): Row {
  const there = beside?.value ?? null;
  return { what, value, unit, beside: beside ?? null, ratio: ratio ?? (there === null ? null : value / there), headline };
}

export const perSecond = (ms: number): number => 1000 / ms;
