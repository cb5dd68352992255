/** From a good machine's bundle to a policy that names what is different on another. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { toB64u } from '../../src/base/bytes.js';
import { stringify } from '../../src/base/shape.js';
import { trustFile } from '../../src/objects/trust.js';
import { ARI } from '../../cli/demo/processes.js';
import { verifierToml } from '../../cli/commands/verifier.js';
import { initVerifier } from '../../verifier/init.js';
import { loadConfig } from '../../verifier/config.js';
import { GOOD_BOOT, type MadeEvent, agileLog, hashOf } from '../attest/support/logs.js';
import { buildBundle } from '../support/bundle.js';
import { TestDevice } from '../support/device.js';
import { KEYS_FILE } from '../support/parties.js';

const dir = mkdtempSync(join(tmpdir(), 'ari-policy-'));
const config = join(dir, 'verifier.toml');
const keys = join(dir, 'keys.json');
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const ari = (...args: string[]): { status: number | null; answer: Record<string, unknown> } => {
  const { status, stdout, stderr } = spawnSync(process.execPath, [ARI, ...args, '--json'], { encoding: 'utf8' });
  return { status, answer: JSON.parse(stdout || `{"stderr":${JSON.stringify(stderr)}}`) as Record<string, unknown> };
};

/** A bundle of a machine that booted so. */
async function machine(name: string, events: readonly MadeEvent[]): Promise<string> {
  const device = await TestDevice.start({ measures: events.map(({ pcr, data = Buffer.alloc(0), measured = data }) => ({ pcr, digest: hashOf('sha256', measured) })) });
  try {
    const { text } = await buildBundle(device, { logs: { boot: { format: 'tcg2-binary', data: toB64u(agileLog(events)) } } });
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
  it('learns what a good machine measured, and puts it into the next version in shadow', () => {
    const { status, answer } = ari('policy', 'learn', good, '-c', config, '--keys', keys);
    expect(status).toBe(0);
    expect(answer['policy']).toMatchObject({ version: 2, stage: 'shadow', boot_reference: { bank: 'sha256' } });
  });

  it('finds nothing on that machine, and names PCR and event on another', () => {
    expect(ari('policy', 'diff', good, '-c', config, '--keys', keys)).toMatchObject({ status: 0, answer: { ok: true, findings: [] } });
    const { status, answer } = ari('policy', 'diff', other, '-c', config, '--keys', keys);
    expect(status).toBe(1);
    expect(answer).toMatchObject({ ok: false, findings: [{ code: 'boot.reference', message: expect.stringMatching(/PCR 4.*event \d+/) as string }] });
  });

  it('enforces what ran in shadow, as a version of its own', () => {
    expect(ari('policy', 'enforce', '-c', config).answer['policy']).toMatchObject({ version: 3, stage: 'enforce' });
  });

  it('takes both machines while an update rolls out', () => {
    expect(ari('policy', 'learn', other, '-c', config, '--keys', keys).status).toBe(0);
    for (const bundle of [good, other]) expect(ari('policy', 'diff', bundle, '-c', config, '--keys', keys).status).toBe(0);
  });

  it('learns nothing from a bundle that does not verify', () => {
    writeFileSync(join(dir, 'strangers.json'), stringify(trustFile, { keys: [], ariLogs: [] }));
    expect(ari('policy', 'learn', good, '-c', config, '--keys', join(dir, 'strangers.json'))).toMatchObject({ status: 1, answer: { error: { code: 'bundle.edge' } } });
  });
});
