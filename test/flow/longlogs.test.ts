/** Machines that have run for long: IMA lists and measurement logs longer than one message, over the real link and a real TPM. */
import { appendFile, truncate } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { verifyBundle } from '../../attest/bundle.js';
import { logEntry } from '../../attest/log.js';
import { parseJson } from '../../src/base/json.js';
import { stringify } from '../../src/base/shape.js';
import { BUNDLE_BYTES } from '../../src/objects/bundle.js';
import { IMA_LIST_BYTES, IMA_PART_BYTES, logEntry as entryShape } from '../../src/objects/evidence.js';
import { type MadeEntry, kernelReference } from '../attest/support/logs.js';
import { Sidecar } from '../support/sidecar.js';

const SIDECAR = '/opt/ari/main.js';
const BOOT: readonly MadeEntry[] = [{ path: 'boot_aggregate' }, { path: SIDECAR, digest: 'bb'.repeat(32) }];
/** Two and a half parts, in few entries, for each is extended. */
const LONG: readonly MadeEntry[] = Array.from({ length: 20 }, (_, i) => ({ path: `/buffer/${i}`, template: 'ima-buf', sig: Buffer.alloc(100_000, i) }));
const MORE: readonly MadeEntry[] = [{ path: '/usr/bin/git', digest: 'cc'.repeat(32) }];
const POLICY = { pcrs: [0, 1, 2, 3, 4, 5, 6, 7, 8, 10], requireBootLog: true, requireIma: true, bootReference: kernelReference(), ima: { files: [{ path: SIDECAR, digests: [`sha256:${'bb'.repeat(32)}`] }], signers: [], closed: false, maxViolations: 0, sidecar: [SIDECAR] } };

describe('an IMA list', () => {
  let sidecar: Sidecar;
  beforeAll(async () => {
    sidecar = await Sidecar.start(POLICY, BOOT);
    await sidecar.authorise();
  });
  afterAll(() => sidecar.stop());

  const paid = async () => {
    const payment = await sidecar.pay();
    expect(payment).toMatchObject({ state: 'settled', decision: 'permit' });
    const text = sidecar.bundle(payment);
    const { firstBroken, edges, verdict } = verifyBundle(text, sidecar.trust);
    return { ima: payment.proof!.platform.ima!, list: payment.proof!.list ?? null, tier: verdict?.tier, broken: edges.find(({ edge }) => edge === firstBroken)?.what ?? null, text };
  };
  const reconnected = async () => {
    await sidecar.reconnect();
    return paid();
  };

  it('is shown whole once, and of a payment at tier T3 an auditor finds tier T3', async () => {
    expect(await paid()).toMatchObject({ ima: { from: 0 }, list: null, tier: 'T3', broken: null });
  });

  it('is shown from where the verifier stands after that, and the bundle brings what is before', async () => {
    await sidecar.measures(MORE);
    expect(await reconnected()).toMatchObject({ ima: { from: BOOT.length }, list: { bytes: expect.any(Number) }, tier: 'T3', broken: null });
  });

  it('longer than a message is shown in pieces ahead of the quote', async () => {
    await sidecar.measures(LONG);
    const { ima, list, ...rest } = await reconnected();
    expect(rest).toMatchObject({ tier: 'T3', broken: null });
    expect(list!.bytes).toBeGreaterThan(IMA_PART_BYTES);
    expect(ima.from).toBeGreaterThan(BOOT.length + 5);
  });

  it('goes on after a restart of the daemon, which has forgotten all, where the verifier stands', async () => {
    await sidecar.restart();
    expect(await paid()).toMatchObject({ ima: { from: BOOT.length + MORE.length + LONG.length, data: '' }, tier: 'T3', broken: null });
  });

  it('without what was before is worth tier T2 to an auditor: the result that says T3 is not believed', async () => {
    const { text } = await paid();
    const { ima, ...without } = parseJson(text, { bytes: BUNDLE_BYTES }) as Record<string, string>;
    const cut = JSON.stringify({ ...without, ima: ima!.slice(0, 4000) });
    for (const forged of [JSON.stringify(without), cut]) expect(verifyBundle(forged, sidecar.trust)).toMatchObject({ ok: false, firstBroken: 'ear-evidence' });
  });

  it('of more bytes than a verifier takes is in no bundle', async () => {
    const { text } = await paid();
    const with16MiB = (more: number): string => JSON.stringify({ ...(parseJson(text, { bytes: BUNDLE_BYTES }) as object), ima: 'A'.repeat((IMA_LIST_BYTES + more) * 4 / 3) });
    const whatIsWrong = (bundle: string) => verifyBundle(bundle, sidecar.trust).edges.find(({ edge }) => edge === 'ear-evidence')!.what;
    expect(whatIsWrong(with16MiB(2))).toBe('ima: must be canonical base64url of at most 16777216 bytes');
    expect(whatIsWrong(with16MiB(-1))).toContain('the evidence shows contraindicated');
  });

  it('is shown anew, from its beginning, when the rules for files changed', async () => {
    await sidecar.policy(2, { ...POLICY, ima: { ...POLICY.ima, closed: true } });
    sidecar.said.length = 0;
    await sidecar.reconnect();
    expect(sidecar.said.map(({ code }) => code)).toContain('ima.gap');
    expect(await sidecar.pay()).toMatchObject({ decision: 'deny', code: 'ima.policy' });
  });

  it('of another boot does not go on, nor is it the list of this one: it is tried from its beginning, and nothing is trusted', async () => {
    await truncate(sidecar.list, 0);
    await sidecar.measures(MORE);
    sidecar.said.length = 0;
    await sidecar.reconnect();
    expect(sidecar.said.map(({ code }) => code)).toContain('ima.gap');
    expect(await sidecar.pay()).toMatchObject({ decision: 'deny', code: 'ima.replay' });
  });
});

describe('a measurement log', () => {
  const LENGTH = 3_000;
  let sidecar: Sidecar;
  beforeAll(async () => {
    sidecar = await Sidecar.start({ pcrs: [0, 4, 7] }, []);
    await sidecar.authorise();
  });
  afterAll(() => sidecar.stop());

  it(`of ${LENGTH} records that the verifier never saw is shown in pages, and the device pays`, async () => {
    const { entries } = sidecar.prover.log(0);
    await sidecar.end();
    const offline = Array.from({ length: LENGTH }, (_, i) => logEntry(entries.length + i, entries[0]!.nvIndex, { kind: 'agent_exit', data: { agent_id: 'example.shopper', process: `${i}.1` } }));
    await appendFile(join(sidecar.bed.config.stateDir, 'measurements.log'), offline.map((entry) => `${stringify(entryShape, entry)}\n`).join(''));
    await sidecar.begin();
    expect(sidecar.prover.log(0).entries.length).toBe(entries.length + LENGTH);
    const payment = await sidecar.pay();
    expect(payment).toMatchObject({ state: 'settled', decision: 'permit' });
    expect(verifyBundle(sidecar.bundle(payment), sidecar.trust)).toMatchObject({ ok: true, verdict: { tier: 'T2' } });
  }, 60_000);
});
