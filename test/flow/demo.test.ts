import { execFile } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ARI } from '../../cli/demo/processes.js';
import { parseJson } from '../../src/base/json.js';
import { ari } from '../cli/support.js';

const run = promisify(execFile);
interface Told { steps: { name: string; expected: string; outcome: string; code: string | null; ms: number }[]; tier: string; bundles: string }

let place: string;
let bundles: string;
let told: Told;
beforeAll(async () => {
  place = await mkdtemp(join(tmpdir(), 'ari-test-'));
  bundles = join(place, 'bundles');
  const { stdout } = await run(process.execPath, [ARI, 'demo', '--json', '--bundles', bundles], { env: { ...process.env, TMPDIR: place } });
  told = JSON.parse(stdout) as Told;
}, 120_000);
afterAll(() => rm(place, { recursive: true, force: true }));

const outcome = (name: string) => told.steps.filter((step) => step.name === name).map(({ outcome, code }) => [outcome, code])[0];

describe('the demo', () => {
  it('ends with every outcome as expected, at tier T2', () => {
    expect(told.steps.filter((step) => step.outcome !== step.expected)).toEqual([]);
    expect(told.tier).toBe('T2');
    expect(told.bundles).toBe(bundles);
    expect(told.steps.every((step) => step.ms > 0)).toBe(true);
  });

  it.each([
    ['permitted', 'settled', null],
    ['over-limit', 'denied', 'mandate.amount'],
    ['unknown-payee', 'denied', 'mandate.payee'],
    ['confirmation-needed', 'confirm_required', 'decision.confirm_needed'],
    ['confirmed', 'settled', null],
    ['changed-program', 'denied', 'agent.version_not_authorised'],
    ['replay', 'refused', 'nonce.used'],
    ['offline-verification', 'verified', null],
    ['one-byte', 'edge receipt-execution', 'bundle.edge'],
  ])('%s comes out as %s %s', (name, seen, code) => {
    expect(outcome(name)).toEqual([seen, code]);
  });

  it('leaves bundles that the command verifies with the public keys beside them', async () => {
    const files = (await readdir(bundles)).filter((file) => file.endsWith('.ari.json'));
    expect(files.length).toBe(6);
    const command = (file: string): string[] => ['verify', join(bundles, file), '--keys', join(bundles, 'keys.json'), '--json'];
    for (const file of files) {
      const { status, out } = await ari(...command(file));
      expect([status, JSON.parse(out)]).toMatchObject([0, { ok: true, first_broken: null }]);
    }
    const { stdout } = await run(process.execPath, [ARI, ...command(files[0]!)]);
    expect(JSON.parse(stdout)).toMatchObject({ ok: true, first_broken: null });
  });

  it('leaves no secret and no personal data in a bundle', async () => {
    const text = await readFile(join(bundles, 'bouquet.ari.json'), 'utf8');
    parseJson(text);
    expect(text).not.toMatch(/"d":|BEGIN [A-Z ]*PRIVATE|HOME=|PATH=/);
  });

  it('leaves nothing behind but the bundles', async () => {
    expect(await readdir(place)).toEqual(['bundles']);
  });
});
