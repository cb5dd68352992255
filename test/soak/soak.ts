/**
 * Pays a thousand times with each kind of clean agent, through a real sidecar, verifier and software TPM, several at once, and expects every payment to settle:
 * none is refused, none asks the user, none leaves a drift in the measurement log. `npm run test:soak`, or with the number of payments for each.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Bed, JVM, type Kind, NATIVE, NODE, SHELL } from '../attack/bed.js';
import { CONTAINED, VENV } from './kinds.js';

const KINDS: readonly Kind[] = [NATIVE, NODE, VENV, JVM, SHELL, CONTAINED];
const PAYMENTS = Number(process.argv[2] ?? 1000);
/** Processes of each kind that pay at the same time. */
const LANES = 2;
const TOLD_MS = 10_000;

class Tally {
  readonly kind: Kind;
  readonly answers = new Map<string, number>();
  readonly tookMs: number[] = [];

  constructor(kind: Kind) {
    this.kind = kind;
  }

  get done(): number { return this.tookMs.length; }
  get alarms(): string { return [...this.answers].filter(([answer]) => answer !== 'settled').map(([answer, count]) => `${answer} ${count}`).join(', '); }
  quantile(share: number): number { return [...this.tookMs].sort((a, b) => a - b)[Math.ceil(this.done * share) - 1] ?? Number.NaN; }
}

async function lane(bed: Bed, tally: Tally): Promise<void> {
  const agent = await (tally.kind.launchOnly ? bed.launch(tally.kind) : bed.start(tally.kind));
  while (tally.done < PAYMENTS) {
    const from = performance.now();
    tally.tookMs.push(Number.NaN);
    const at = tally.done - 1;
    const answer = await bed.pay(agent);
    tally.tookMs[at] = performance.now() - from;
    tally.answers.set(answer, (tally.answers.get(answer) ?? 0) + 1);
  }
}

/** Drifts in the measurement logs of this sidecar. */
function driftsIn(dir: string): number {
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return files.reduce((count, { parentPath, name }) => count + readFileSync(join(parentPath, name), 'latin1').split('agent_drift').length - 1, 0);
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const ms = (value: number): string => value.toFixed(0).padStart(6);

const bed = await Bed.open(KINDS, { paymentsPerMinute: 100_000 });
try {
  const tallies = bed.kinds.map((kind) => new Tally(kind));
  say(`${PAYMENTS} payments by each of ${bed.kinds.length} kinds, ${LANES} processes each${bed.kinds.length < KINDS.length ? `; not made here: ${KINDS.filter((kind) => !bed.kinds.includes(kind)).map(({ name }) => name).join(' ')}` : ''}`);
  const from = performance.now();
  const progress = setInterval(() => say(`${((performance.now() - from) / 1000).toFixed(0).padStart(4)} s  ${tallies.map(({ kind, done, alarms }) => `${kind.name} ${done}${alarms === '' ? '' : ' !'}`).join('  ')}`), TOLD_MS);
  try {
    await Promise.all(tallies.flatMap((tally) => Array.from({ length: LANES }, () => lane(bed, tally))));
  } finally {
    clearInterval(progress);
  }
  const seconds = (performance.now() - from) / 1000;
  say(`\n${'agent'.padEnd(12)} payments  p50 ms  p99 ms  anything but settled`);
  for (const tally of tallies) say(`${tally.kind.name.padEnd(12)} ${String(tally.done).padStart(8)}  ${ms(tally.quantile(0.5))}  ${ms(tally.quantile(0.99))}  ${tally.alarms || 'none'}`);
  const drifts = driftsIn(join(bed.stage.dir, 'state'));
  const all = tallies.reduce((sum, { done }) => sum + done, 0);
  const alarmed = tallies.some(({ alarms }) => alarms !== '') || drifts > 0;
  say(`\n${all} payments in ${seconds.toFixed(0)} s (${(all / seconds).toFixed(0)}/s), ${drifts} drifts in the log: ${alarmed ? 'FALSE ALARMS' : 'no false alarm'}`);
  process.exitCode = alarmed ? 1 : 0;
} finally {
  await bed.close();
}
