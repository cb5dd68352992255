import { inflateSync } from 'node:zlib';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CARRIER } from '../../src/objects/carrier.js';
import { DEVICE_RECORD } from '../../src/objects/device.js';
import { type Listed, openStatusList, STATUS_LISTS, type StatusReference } from '../../src/objects/status.js';
import { open } from '../../src/objects/signed.js';
import type { Trust } from '../../src/objects/trust.js';
import { ari } from '../cli/support.js';
import { TestPayer } from './support/payer.js';
import { bundleText } from './support/bundle.js';
import { freshId } from './support/service.js';

let payer: TestPayer;
let trust: Trust;
let status: StatusReference;
let clock = 0;
beforeAll(async () => {
  payer = await TestPayer.start({ now: () => Date.now() + clock });
  await payer.enrol();
  await payer.openCarrier();
  await giveMandate();
  trust = await payer.service.trust();
});
afterAll(() => payer.stop());

/** A mandate that says where its bits are. */
async function giveMandate(): Promise<void> {
  const jti = freshId('mnd');
  status = { statusList: (await payer.service.post(`/v1/delegation/mandates/${jti}/status`, {})).status_list };
  await payer.giveMandate({ jti, status });
}

const fetchList = async (listed: Listed) => {
  clock += 1000; // a list is made anew each second
  const { text } = await payer.service.call('GET', `/status/${STATUS_LISTS[listed].n}`, { admin: false });
  return openStatusList(text, trust, { inflate: (bytes, maxOutputLength) => inflateSync(bytes, { maxOutputLength }), nowS: Math.floor(Date.now() / 1000) });
};
const references = async (): Promise<Record<Listed, StatusReference>> => {
  const carrier = open(CARRIER, (await payer.service.get(`/v1/delegation/carriers/${payer.carrierId}`)).carrier, trust.keys).value;
  const device = open(DEVICE_RECORD, (await payer.service.get(`/v1/trust/devices/${payer.deviceId}`)).record, trust.keys).value;
  return { carrier: carrier.status!, device: device.status!, mandate: status };
};
const standing = async (listed: Listed) => {
  const { statusList: { idx, uri } } = (await references())[listed];
  const list = await fetchList(listed);
  expect(list.uri).toBe(uri);
  return list.at(idx);
};
const order = (action: 'freeze' | 'thaw' | 'revoke', subject: string) => payer.service.post('/v1/delegation/orders', { order: payer.order(action, subject) });

describe('status lists', () => {
  it('say valid of what may pay, each signed by its role', async () => {
    for (const listed of ['carrier', 'mandate', 'device'] as const) expect([listed, await standing(listed)]).toEqual([listed, 'valid']);
    expect([(await fetchList('carrier')).role, (await fetchList('mandate')).role]).toEqual(['carrier', 'verifier']);
  });

  it('are served as such, and there are no others', async () => {
    const response = await fetch(new URL('/status/1', payer.service.running.url));
    expect([response.headers.get('content-type'), response.headers.get('cache-control')]).toEqual(['application/statuslist+jwt', 'public, max-age=1']);
    for (const n of ['0', '4', 'x', '01']) expect((await payer.service.call('GET', `/status/${n}`, { admin: false })).status).toBe(404);
  });

  it('follow a freeze and a thaw', async () => {
    await order('freeze', payer.carrierId);
    expect(await standing('carrier')).toBe('suspended');
    await order('thaw', payer.carrierId);
    expect(await standing('carrier')).toBe('valid');
    await order('freeze', payer.deviceId);
    expect(await standing('device')).toBe('suspended');
    await order('thaw', payer.deviceId);
  });

  it('keep the place of a carrier when it is revised, and give each subject its own', async () => {
    const before = (await references()).carrier;
    await payer.service.post('/v1/delegation/carriers', { request: payer.carrierRequest({ rev: 2 }) });
    expect((await references()).carrier).toEqual(before);
    const more = await Promise.all(Array.from({ length: 5 }, () => payer.service.post(`/v1/delegation/mandates/${freshId('mnd')}/status`, {})));
    expect(new Set([status.statusList.idx, ...more.map(({ status_list: { idx } }) => idx)]).size).toBe(6);
  });

  it('are not to be borrowed: a mandate with the place of another is not registered', async () => {
    for (const foreign of [{ statusList: { ...status.statusList, idx: status.statusList.idx + 1 } }, { statusList: { ...status.statusList, uri: 'https://elsewhere.example/status/2' } }]) {
      const answer = await payer.service.call('POST', '/v1/delegation/mandates', { admin: false, body: { device_id: payer.deviceId, mandate: payer.mandateToken({ status: foreign }) } });
      expect(answer.body.code).toBe('status.foreign');
    }
  });

  it('tell with `ari verify --status` how the tokens of a bundle stand now; the payment stays what it was', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'ari-status-'));
    const file = (name: string, text: string): string => { writeFileSync(join(dir, name), text); return join(dir, name); };
    const list = async (listed: Listed): Promise<string> => file(`${listed}.jwt`, `${(clock += 1000, await payer.service.call('GET', `/status/${STATUS_LISTS[listed].n}`, { admin: false })).text}\n`);
    await giveMandate();
    const message = await payer.attempt(payer.intent());
    const told = await payer.decision(message);
    const store = await payer.service.store();
    const bundle = file('bundle.ari.json', bundleText(payer, (await store.deviceById(payer.deviceId))!.record, message, told, await payer.link.next('execution')));
    const keys = file('keys.json', (await payer.service.call('GET', '/.well-known/jwks.json', { admin: false })).text);
    const verify = async (...options: string[]) => { const { status: exit, out } = await ari('verify', bundle, '--keys', keys, '--json', ...options); return { exit, ...JSON.parse(out) }; };
    const [mandates, carriers] = [await list('mandate'), await list('carrier')];
    expect(await verify()).toMatchObject({ exit: 0, ok: true });
    expect(await verify('--status', mandates, '--status', carriers)).toMatchObject({ exit: 0, standing: [{ of: 'mandate', standing: 'valid' }, { of: 'carrier', standing: 'valid' }, { of: 'device', standing: null }] });
    await order('revoke', told.authority.mandate!.mandateId);
    expect(await verify('--status', await list('mandate'))).toMatchObject({ exit: 1, ok: true, standing: [{ of: 'mandate', standing: 'invalid' }, { standing: null }, { standing: null }] });
    expect(await verify()).toMatchObject({ exit: 0, ok: true });
    expect(await verify('--status', bundle)).toMatchObject({ exit: 1, error: { code: 'token.malformed' } });
    expect((await ari('verify', bundle, '--keys', keys, '--status', mandates)).out).toMatch(/mandate mnd_\w+ +\S*valid.* as of 20/);
    await store.close();
    rmSync(dir, { recursive: true });
  });
});
