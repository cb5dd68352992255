import { mkdtemp, mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Command } from 'commander';
import { asFault } from '../../src/base/fault.js';
import { ensurePackages, SWTPM } from '../demo/packages.js';
import type { Outcome, Step, Telling } from '../demo/story.js';
import { paint } from '../output.js';

interface Told { name: string; expected: string; outcome: string; code: string | null; ms: number }

async function play(step: Step, on: Telling): Promise<{ told: Told; seen: string; ok: boolean }> {
  const from = performance.now();
  const { outcome, code, seen } = await step.run(on).catch((error: unknown): Outcome => ({ outcome: 'error', code: asFault(error).code, seen: detail(error) }));
  const told = { name: step.name, expected: step.expected, outcome, code, ms: Math.round((performance.now() - from) * 10) / 10 };
  return { told, seen, ok: outcome === step.expected && code === step.code };
}

const detail = (error: unknown): string => {
  const { message, cause } = asFault(error);
  return cause instanceof Error ? `${message}: ${cause.stack ?? cause.message}` : message;
};

async function tellAll(story: readonly Step[], on: Telling, say: (text: string) => void): Promise<{ steps: Told[]; ok: boolean }> {
  const steps: Told[] = [];
  for (const [n, step] of story.entries()) {
    say(`\n${paint('bold', `${n + 1}. ${step.tells}`)}`);
    const { told, seen, ok } = await play(step, on);
    steps.push(told);
    say(`   ${ok ? paint('green', '✓') : paint('red', '✗')} ${told.outcome}${told.code ? `  ${paint('cyan', told.code)}` : ''}  ${paint('dim', `${told.ms} ms`)}\n     ${seen}`);
    if (!ok) {
      say(paint('red', `   expected ${step.expected}${step.code ? ` ${step.code}` : ''}`));
      return { steps, ok };
    }
  }
  return { steps, ok: true };
}

async function run(options: { bundles?: string; json?: boolean }): Promise<void> {
  const say = (text: string): void => void process[options.json ? 'stderr' : 'stdout'].write(options.json ? '' : `${text}\n`);
  say(paint('bold', 'ari-sidecar: may this agent pay? A story with a software TPM, a verifier, a sidecar and an agent, each a process of its own.'));
  ensurePackages(SWTPM, (text) => process.stderr.write(`${text}\n`));
  const bundles = options.bundles ?? await mkdtemp(join(tmpdir(), 'ari-bundles-'));
  await mkdir(bundles, { recursive: true });
  const [{ Stage }, { STORY }] = await Promise.all([import('../demo/stage.js'), import('../demo/story.js')]);
  const stage = await Stage.open();
  const on: Telling = { stage, bundles, saved: new Map(), l2: '', pending: '', tier: 'T0' };
  try {
    const { steps, ok } = await tellAll(STORY, on, say);
    if (options.json) process.stdout.write(`${JSON.stringify({ steps, tier: on.tier, bundles })}\n`);
    else say(ending(ok, bundles));
    process.exitCode = ok ? 0 : 1;
  } finally {
    await stage.close();
  }
}

const ending = (ok: boolean, bundles: string): string => ok
  ? `\n${paint('green', 'Everything came out as it should.')} The bundles are in ${bundles}; check one yourself:\n  npm run --silent ari -- verify ${bundles}/bouquet.ari.json --keys ${bundles}/keys.json`
  : `\n${paint('red', 'Something came out differently.')} The bundles so far are in ${bundles}.`;

export const demo = (ari: Command): void => {
  ari.command('demo')
    .summary('see it work: enrol a software TPM, pay, be refused, verify')
    .description('Brings up a software TPM, a verifier, a sidecar and a small agent on this machine, makes payments that are permitted, denied, confirmed and attacked,\nand checks their bundles offline. Cleans up after itself. Exit status 1 when any outcome differs from what it must be.')
    .option('--bundles <DIR>', 'write the bundles there instead of a new temporary folder')
    .option('--json', 'print one JSON object: {steps: [{name, expected, outcome, code, ms}], tier, bundles}')
    .action(run);
};
