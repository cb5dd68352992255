/** From a good machine's bundle to a policy that names what is different on another. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toB64u } from '../../src/base/bytes.js';
import { stringify } from '../../src/base/shape.js';
import type { Policy } from '../../src/objects/decision.js';
import { trustFile } from '../../src/objects/trust.js';
import { verifierToml } from '../../cli/commands/verifier.js';
import { initVerifier } from '../../verifier/init.js';
import { loadConfig } from '../../verifier/config.js';
import { GOOD_BOOT, type MadeEvent, agileLog, hashOf } from '../attest/support/logs.js';
import { PARTS, type Parts, peImage, ukiBoot } from '../attest/support/uki.js';
import { buildBundle } from '../support/bundle.js';
import { TestDevice } from '../support/device.js';
import { KEYS_FILE } from '../support/parties.js';
import { answer as answered } from './support.js';

const dir = mkdtempSync(join(tmpdir(), 'ari-policy-'));
const config = join(dir, 'verifier.toml');
const keys = join(dir, 'keys.json');
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const ari = async (...args: string[]): Promise<{ status: number; answer: Record<string, unknown> }> => {
  const { status, json, err } = await answered(...args, '--json');
  return { status, answer: json ?? { stderr: err } };
};

/** A bundle of a machine that booted so. */
async function machine(name: string, events: readonly MadeEvent[], pcrs?: number[]): Promise<string> {
  const device = await TestDevice.start({ measures: events.map(({ pcr, data = Buffer.alloc(0), measured = data }) => ({ pcr, digest: hashOf('sha256', measured) })) });
  try {
    const quoted = pcrs === undefined ? {} : { pcrs, policy: (value: Policy) => ({ ...value, pcrs }) };
    const { text } = await buildBundle(device, { ...quoted, logs: { boot: { format: 'tcg2-binary', data: toB64u(agileLog(events)) } } });
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  } finally {
    await device.stop();
  }
}

let good: string;
let other: string;
beforeAll(async () => {
  writeFileSync(config, verifierToml({ issuer: 'http://127.0.0.1:1', listen: '127.0.0.1:0' }));
  initVerifier(loadConfig(config));
  writeFileSync(keys, stringify(trustFile, KEYS_FILE));
  good = await machine('good.ari.json', GOOD_BOOT);
  const at = GOOD_BOOT.findIndex(({ pcr }) => pcr === 4);
  other = await machine('other.ari.json', GOOD_BOOT.map((event, i) => (i === at ? { ...event, data: Buffer.from('another boot loader'), measured: Buffer.from('another boot loader') } : event)));
}, 60_000);

describe('ari policy', () => {
  it('learns what a good machine measured, and puts it into the next version in shadow', async () => {
    const { status, answer } = await ari('policy', 'learn', good, '-c', config, '--keys', keys);
    expect(status).toBe(0);
    expect(answer['policy']).toMatchObject({ version: 2, stage: 'shadow', boot_reference: { bank: 'sha256' } });
  });

  it('finds nothing on that machine, and names PCR and event on another', async () => {
    expect(await ari('policy', 'diff', good, '-c', config, '--keys', keys)).toMatchObject({ status: 0, answer: { ok: true, findings: [] } });
    const { status, answer } = await ari('policy', 'diff', other, '-c', config, '--keys', keys);
    expect(status).toBe(1);
    expect(answer).toMatchObject({ ok: false, findings: [{ code: 'boot.reference', message: expect.stringMatching(/PCR 4.*event \d+/) as string }] });
  });

  it('enforces what ran in shadow, as a version of its own', async () => {
    expect((await ari('policy', 'enforce', '-c', config)).answer['policy']).toMatchObject({ version: 3, stage: 'enforce' });
  });

  it('takes both machines while an update rolls out', async () => {
    expect((await ari('policy', 'learn', other, '-c', config, '--keys', keys)).status).toBe(0);
    for (const bundle of [good, other]) expect((await ari('policy', 'diff', bundle, '-c', config, '--keys', keys)).status).toBe(0);
  });

  it('learns nothing from a bundle that does not verify', async () => {
    writeFileSync(join(dir, 'strangers.json'), stringify(trustFile, { keys: [], ariLogs: [] }));
    expect(await ari('policy', 'learn', good, '-c', config, '--keys', join(dir, 'strangers.json'))).toMatchObject({ status: 1, answer: { error: { code: 'bundle.edge' } } });
  });
});

describe('ari policy with a unified kernel image', () => {
  const QUOTED = [0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 13];
  const image = join(dir, 'good.efi');
  const looser: Parts = { ...PARTS, '.cmdline': 'root=/dev/vda2' };
  let unified: string;
  let later: string;
  beforeAll(async () => {
    writeFileSync(image, peImage(PARTS).file);
    writeFileSync(join(dir, 'loose.efi'), peImage(looser).file);
    unified = await machine('unified.ari.json', ukiBoot(), QUOTED);
    later = await machine('later.ari.json', ukiBoot(looser), QUOTED);
  }, 60_000);

  it('learns it from its file and a machine that booted it, and the PCRs that a quote must then cover', async () => {
    const { status, answer } = await ari('policy', 'learn', unified, '--uki', image, '-c', config, '--keys', keys);
    expect({ status, policy: answer['policy'] }).toMatchObject({ status: 0, policy: { stage: 'shadow', pcrs: QUOTED, uki: { sidecar: 'root', images: [{ command_line: PARTS['.cmdline'] }] } } });
    const { boot_reference: reference } = answer['policy'] as { boot_reference: { pcrs: { pcr: number }[] } };
    expect(reference.pcrs.map(({ pcr }) => pcr)).not.toContain(11);
    expect(await ari('policy', 'diff', unified, '-c', config, '--keys', keys)).toMatchObject({ status: 0, answer: { ok: true } });
  });

  it('names the image on a machine that booted another, and one that booted none', async () => {
    const { answer } = await ari('policy', 'diff', later, '-c', config, '--keys', keys);
    expect(answer['findings']).toContainEqual({ code: 'boot.uki', message: expect.stringMatching(/PCR 4 shows that an image was started which is not of the policy: [0-9a-f]{64}/) as string });
    expect((await ari('policy', 'diff', good, '-c', config, '--keys', keys)).answer['findings']).toContainEqual({ code: 'boot.uki', message: expect.stringContaining('was not quoted') as string });
  });

  it('refuses an image that ties no sidecar, one that was not booted, and a file that is none', async () => {
    const refused = (bundle: string, file: string, ...more: string[]) => ari('policy', 'learn', bundle, '--uki', file, ...more, '-c', config, '--keys', keys);
    for (const [attempt, what] of [
      [() => refused(later, join(dir, 'loose.efi')), 'does not hold one roothash='], [() => refused(later, image), 'PCR 4 does not say that this file was started'],
      [() => refused(unified, image, '--sidecar', 'initrd'), 'hands over to another root'], [() => refused(unified, config), 'the file is no PE image'],
    ] as const) expect(await attempt()).toMatchObject({ status: 2, answer: { error: { code: 'usage.wrong', detail: expect.stringContaining(what) as string } } });
  });
});

describe('ari policy environment', () => {
  const environment = (table: string, ...rest: string[]): ReturnType<typeof ari> => ari('policy', 'environment', table, '-c', config, ...rest);

  it('writes a shipped table or that of a file into the next version', async () => {
    expect((await environment('strict')).answer['policy']).toMatchObject({ environment: { ptrace_scope: { min: 2, otherwise: 'contraindicated' } } });
    const file = join(dir, 'environment.json');
    writeFileSync(file, '{"seccomp":{"otherwise":"warning"},"unit":{"allowed":["florist.service"],"otherwise":"contraindicated"}}');
    expect((await environment(file)).answer['policy']).toMatchObject({ environment: { seccomp: { otherwise: 'warning' }, unit: { allowed: ['florist.service'] } } });
    expect((await environment('none')).answer['policy']).toMatchObject({ environment: {} });
  });

  it.each([['{"seccomp":{}}'], ['{"secomp":{"otherwise":"warning"}}'], ['{"capabilities":{"allowed":["CAP_EVERYTHING"],"otherwise":"note"}}'], ['{"ptrace_scope":{"min":0,"otherwise":"note"}}']])('refuses %s', async (text) => {
    const file = join(dir, 'wrong.json');
    writeFileSync(file, text);
    expect(await environment(file)).toMatchObject({ status: 1, answer: { error: { code: 'intake.malformed' } } });
  });

  it('is looked at by diff too, without its notes', async () => {
    const found = async (table: string): Promise<unknown> => {
      await environment(table);
      return ((await ari('policy', 'diff', good, '-c', config, '--keys', keys)).answer['findings'] as { code: string }[]).map(({ code }) => code);
    };
    expect(await found('strict')).toContain('agent.unfiltered');
    expect(await found('production')).not.toContain('agent.unfiltered');
  });

  it('tells what would not hold for the agent of a payment, and changes nothing', async () => {
    expect(await environment('production', '--bundle', good, '--keys', keys)).toMatchObject({ status: 1, answer: { ok: false, breaches: [{ code: 'agent.unfiltered', weight: 'note' }] } });
    expect(await environment('none', '--bundle', good, '--keys', keys)).toMatchObject({ status: 0, answer: { ok: true, breaches: [] } });
    expect(await environment('strict', '--bundle', good)).toMatchObject({ status: 2, answer: { error: { code: 'usage.wrong' } } });
  });
});
