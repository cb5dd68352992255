import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keepManifests, readManifest } from '../../daemon/pay/manifests.js';
import { AGENT_MANIFEST } from '../../src/objects/manifest.js';
import { open, seal } from '../../src/objects/signed.js';
import { manifest } from '../support/examples.js';
import { keys, SIGNERS } from '../support/keys.js';

const version = (name: string) => ({ manifest: open(AGENT_MANIFEST, seal(AGENT_MANIFEST, { ...manifest, agent: { ...manifest.agent, version: name } }, SIGNERS.publisher), keys) });

describe('the manifests that payments name', () => {
  let dir: string;
  beforeAll(() => { dir = mkdtempSync(join(tmpdir(), 'ari-manifests-')); });
  afterAll(() => rmSync(dir, { recursive: true }));

  it('are kept once each, also that of an older version while a payment names it, and no longer', async () => {
    const [old, now] = [version('1.0.0'), version('2.0.0')];
    await keepManifests(dir, [old], []);
    await keepManifests(dir, [now], [old.manifest.sha256, old.manifest.sha256, now.manifest.sha256]);
    expect(readManifest(dir, old.manifest.sha256)).toBe(old.manifest.token);
    expect(readManifest(dir, now.manifest.sha256)).toBe(now.manifest.token);
    expect(readdirSync(dir)).toHaveLength(2);
    await keepManifests(dir, [now], []);
    expect(readManifest(dir, old.manifest.sha256)).toBeNull();
    expect(readManifest(dir, now.manifest.sha256)).toBe(now.manifest.token);
  });
});
