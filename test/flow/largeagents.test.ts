/** Agents of many files: their manifests are longer than a message of the link, or than all that one may hold together. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyBundle } from '../../attest/bundle.js';
import { LINK_LIMITS } from '../../src/link.js';
import { manifestOf } from '../support/agent.js';
import { Sidecar } from '../support/sidecar.js';

const FILES = 20_000;
const deep = manifestOf(FILES).files.map(({ path, sha256 }) => ({ path: path.replace('/index.js', '/node_modules/@a-scope/another-package/dist/esm/internal/index.js'), sha256 }));

describe(`an agent of ${FILES.toLocaleString('en')} files`, () => {
  let sidecar: Sidecar;
  beforeAll(async () => {
    sidecar = await Sidecar.start({ pcrs: [0, 4, 7] }, [], { ...manifestOf(FILES), files: deep });
    await sidecar.authorise();
  });
  afterAll(() => sidecar.stop());

  const pays = async () => {
    const payment = await sidecar.pay();
    expect(payment).toMatchObject({ state: 'settled', decision: 'permit' });
    expect(verifyBundle(sidecar.bundle(payment), sidecar.trust)).toMatchObject({ ok: true, verdict: { tier: 'T2' } });
  };

  it('pays though no message could hold its manifest, and its bundle proves it', async () => {
    expect(sidecar.payer.manifest.token.length).toBeGreaterThan(LINK_LIMITS.messageBytes);
    await pays();
  });

  it('costs the journal of its device no more than a small one: its manifest is kept once', async () => {
    const size = (): number => statSync(join(sidecar.bed.config.stateDir, 'payments.journal')).size;
    const before = size();
    await pays();
    expect(size() - before).toBeLessThan(100_000);
  });

  it('is not brought again by the next connection, nor after a restart of the daemon', async () => {
    await sidecar.reconnect();
    await sidecar.restart();
    expect(sidecar.session.welcome!.manifests).toEqual([]);
    await pays();
  });
});
