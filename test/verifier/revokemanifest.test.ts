/** The end of an agent version. Users authorised it, devices run it unchanged; its publisher, or the operator, says that it may pay no more. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { readLeaf } from '../../src/deposit/chain.js';
import type { Signer } from '../../src/base/jws.js';
import { AGENT_MANIFEST, MANIFEST_ORDER, type ManifestOrder } from '../../src/objects/manifest.js';
import { seal, tokenHash } from '../../src/objects/signed.js';
import { trustedKey } from '../../src/objects/trust.js';
import { encode } from '../../src/base/shape.js';
import { published } from '../../verifier/trust.js';
import type { Store } from '../../verifier/store/verbs.js';
import { MANIFEST } from '../support/agent.js';
import { TestPayer } from './support/payer.js';
import { freshId, withKid } from './support/service.js';

let payer: TestPayer;
let store: Store;
let mandateId: string;
async function begin(): Promise<void> {
  payer = await TestPayer.start();
  await payer.enrol();
  await payer.openCarrier();
  mandateId = await payer.giveMandate();
  store = await payer.service.store();
}
async function end(): Promise<void> {
  await store.close();
  await payer.stop();
}

const OTHER = seal(AGENT_MANIFEST, { ...MANIFEST, agent: { ...MANIFEST.agent, version: '2' } }, withKid('publisher', 'publisher'));
const nowS = (): number => Math.floor(Date.now() / 1000);
const orderOf = (changes: Partial<ManifestOrder> = {}, by: Signer = payer.publisher): string =>
  seal(MANIFEST_ORDER, { jti: freshId('evt'), iss: MANIFEST.iss, iat: nowS(), exp: nowS() + 300, action: 'revoke', manifestSha256: payer.manifest.sha256, ...changes }, by);
const submit = (order: string) => payer.service.call('POST', '/v1/trust/manifests/revoke', { body: { order }, admin: false });
const byOperator = (admin = true) => payer.service.call('POST', `/v1/trust/manifests/${payer.manifest.sha256}/revoke`, { body: {}, admin });
const ruled = async (intent = payer.intent()) => {
  const { state, decision } = await payer.decision(await payer.attempt(intent));
  return [state, JSON.parse(Buffer.from(decision.split('.')[1]!, 'base64url').toString()).code];
};
const leaves = async () => (await store.chain(payer.manifest.sha256)).map(({ leaf }) => readLeaf(leaf)).map(({ kind, code }) => [kind, code]);
const untouched = async () => {
  expect(await leaves()).toEqual([]);
  expect(await ruled()).toEqual(['permitted', null]);
};

describe('an agent version that its publisher revoked', () => {
  beforeEach(begin);
  afterEach(end);

  it('pays no more from the answer on, whoever authorised it; its sidecar is told at once, its mandate ends, and the log holds it', async () => {
    expect((await ruled())[0]).toBe('permitted');
    const { manifestRevoked } = (await store.mandate(mandateId))!;
    expect(manifestRevoked).toBe(false);
    expect(await submit(orderOf())).toMatchObject({ status: 200, body: { manifest_sha256: payer.manifest.sha256 } });
    expect(await payer.link.next('revoked')).toEqual({ subject: payer.manifest.sha256, state: 'revoked' });
    expect((await payer.link.next('mandates', ({ mandates }) => mandates.length === 0)).mandates).toEqual([]);
    expect(await ruled()).toEqual(['denied', 'manifest.revoked']);
    expect(await payer.service.get(`/v1/delegation/mandates/${mandateId}`)).toMatchObject({ state: 'revoked', manifest_revoked: true });
    expect(await payer.service.get(`/v1/trust/manifests/${payer.manifest.sha256}`)).toMatchObject({ agent_id: MANIFEST.agent.id, revoked_ms: expect.any(Number) });
    expect(await leaves()).toEqual([['revoked', 'manifest.revoked']]);
  });

  it('gets no mandate any more, and a device that connects with it hears why', async () => {
    await submit(orderOf());
    const again = await payer.service.call('POST', '/v1/delegation/mandates', { body: { device_id: payer.deviceId, mandate: payer.mandateToken() }, admin: false });
    expect(again.body.code).toBe('manifest.revoked');
    expect((await payer.reconnect()).manifests).toEqual([]);
    expect(await payer.link.next('revoked')).toEqual({ subject: payer.manifest.sha256, state: 'revoked' });
    expect((await payer.service.get(`/v1/delegation/devices/${payer.deviceId}/agents`)).agents).toEqual([]);
  });

  it('does not come back with a manifest that is brought again', async () => {
    await submit(orderOf());
    await store.addManifest({ manifestSha256: payer.manifest.sha256, agentId: MANIFEST.agent.id, version: MANIFEST.agent.version, token: payer.manifest.token });
    expect(await ruled()).toEqual(['denied', 'manifest.revoked']);
  });

  it('is revoked once: the same order again, or the operator after it, changes nothing and leaves no second leaf', async () => {
    const order = orderOf();
    await submit(order);
    const { revokedMs } = (await store.manifestStanding(payer.manifest.sha256))!;
    expect([(await submit(order)).status, (await byOperator()).status]).toEqual([200, 200]);
    expect((await store.manifestStanding(payer.manifest.sha256))!.revokedMs).toBe(revokedMs);
    expect(await leaves()).toHaveLength(1);
  });
});

describe('the operator', () => {
  beforeAll(begin);
  afterAll(end);

  it('revokes a version too, with his token', async () => {
    expect((await byOperator(false)).status).toBe(401);
    await untouched();
    expect((await byOperator()).status).toBe(200);
    expect(await ruled()).toEqual(['denied', 'manifest.revoked']);
    expect(await leaves()).toEqual([['revoked', 'manifest.revoked']]);
  });
});

describe('with another trusted publisher', () => {
  const other = withKid('publisher', 'other');
  afterAll(end);
  beforeAll(async () => {
    await begin();
    const file = join(payer.service.dir, 'publishers.json');
    const { keys, ...rest } = JSON.parse(readFileSync(file, 'utf8'));
    writeFileSync(file, JSON.stringify({ keys: [...keys, encode(trustedKey, published('publisher', 'other.example', other.kid, other.jwk))], ...rest }));
    await payer.service.restart();
    await payer.reconnect();
  });

  it('its key revokes nothing of this one, in whose name ever', async () => {
    expect((await submit(orderOf({ iss: 'other.example' }, other))).body.code).toBe('token.signature');
    expect((await submit(orderOf({}, other))).body.code).toBe('token.signature');
    await untouched();
  });

  it('an order revokes the version that it names, and no other', async () => {
    await payer.service.store().then((own) => own.addManifest({ manifestSha256: tokenHash(OTHER), agentId: MANIFEST.agent.id, version: '2', token: OTHER }).then(() => own.close()));
    expect((await submit(orderOf({ manifestSha256: tokenHash(OTHER) }))).status).toBe(200);
    await untouched();
  });
});

describe('an order', () => {
  beforeAll(begin);
  afterAll(end);

  it.each<[string, () => string, string]>([
    ['of a stranger', () => orderOf({}, withKid('publisher', 'stranger')), 'token.signature'],
    ['of a user', () => orderOf({}, payer.user), 'token.signature'],
    ['in the name of another publisher', () => orderOf({ iss: 'another.example' }), 'token.signature'],
    ['for a manifest that nobody brought', () => orderOf({ manifestSha256: 'A'.repeat(43) }), 'intake.not_found'],
    ['that is past its time', () => orderOf({ iat: nowS() - 600, exp: nowS() - 300 }), 'token.time'],
  ])('%s revokes nothing', async (_, order, code) => {
    expect((await submit(order())).body.code).toBe(code);
    await untouched();
  });
});
