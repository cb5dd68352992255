import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromB64u } from '../../src/base/bytes.js';
import { openCheckpoint } from '../../src/deposit/checkpoint.js';
import { cosignatures, parseWitness } from '../../src/deposit/cosignature.js';
import { decodeEntries, decodeHashes } from '../../src/deposit/tiles.js';
import { leafNode, rootOfLeaves } from '../../src/deposit/tree.js';
import { verifyConsistency } from '../../src/deposit/verify.js';
import type { Trust } from '../../src/objects/trust.js';
import { loadKeys } from '../../verifier/keys.js';
import { DepositLog } from '../../verifier/log.js';
import { leaf } from './store/world.js';
import { noteText, testWitness } from '../support/witness.js';
import { TestService } from './support/service.js';

let service: TestService;
let trust: Trust;
const SIZE = 300;
const witness = testWitness('witness.example/1');
beforeAll(async () => {
  service = await new TestService({ witnesses: [witness.vkey] }).start();
  trust = await service.trust();
  await fill(0, SIZE);
});
afterAll(() => service.stop());

/** Leaves that another process deposits: the service finds them in the store. */
async function fill(from: number, to: number): Promise<void> {
  const store = await service.store();
  const log = new DepositLog(store, loadKeys(service.config.keys.dir, service.config.deposit.origin).log, { dir: `${service.dir}/other` });
  await Promise.all(Array.from({ length: to - from }, (_, i) => log.record(leaf(`evt_${from + i}`, 'revoked', 'a'), from + i)));
  await store.close();
}
const get = (path: string): Promise<Response> => fetch(new URL(path, service.running.url));
const bytes = async (path: string): Promise<Buffer> => Buffer.from(await (await get(path)).arrayBuffer());
const checkpoint = async () => openCheckpoint(await (await get('/log/checkpoint')).text(), trust.logs);

describe('the log over HTTP', () => {
  it('is a tiled log that anyone can read whole: checkpoint, hashes, leaves', async () => {
    const { size, root } = await checkpoint();
    expect(size).toBe(SIZE);
    const hashes = [...decodeHashes(await bytes('/log/tile/0/000'), 256), ...decodeHashes(await bytes(`/log/tile/0/001.p/${SIZE - 256}`), SIZE - 256)];
    expect(rootOfLeaves(hashes)).toEqual(root);
    const entries = [...decodeEntries(await bytes('/log/tile/entries/000'), 256), ...decodeEntries(await bytes(`/log/tile/entries/001.p/${SIZE - 256}`), SIZE - 256)];
    expect(entries.map(leafNode)).toEqual(hashes);
    expect((await bytes('/log/tile/1/000.p/1')).length).toBe(32);
  });

  it('says what may be kept: a tile for ever, a checkpoint for a second, an error never', async () => {
    const head = async (path: string) => { const { headers } = await get(path); return [headers.get('cache-control'), headers.get('content-type')]; };
    expect(await head('/log/tile/0/000')).toEqual(['public, max-age=31536000, immutable', 'application/octet-stream']);
    expect(await head('/log/tile/entries/000.p/5')).toEqual(['public, max-age=31536000, immutable', 'application/octet-stream']);
    expect(await head('/log/checkpoint')).toEqual(['public, max-age=1', 'text/plain; charset=utf-8']);
    expect((await head('/healthz'))[0]).toBe('no-store');
    expect((await head('/log/tile/0/999'))[0]).toBeNull();
  });

  it.each(['tile/0/002.p/1', 'tile/0/001', 'tile/9/000', 'tile/0/0', 'tile/0/..%2f..%2f..%2fverifier.toml', 'tile/entries/..%2f..%2fcheckpoint', 'tile/', 'tile/0/000.p/300'])('has no %s', async (path) => {
    expect([(await get(`/log/${path}`)).status, path]).toEqual([404, path]);
  });

  it('proves that it only grew', async () => {
    const before = await checkpoint();
    await fill(SIZE, SIZE + 20);
    const after = await checkpoint();
    const { from, to, hashes } = await (await get(`/log/consistency?from=${before.size}`)).json() as { from: number; to: number; hashes: string[] };
    expect([from, to]).toEqual([before.size, after.size]);
    const proof = hashes.map((hash) => fromB64u(hash)!);
    verifyConsistency(from, before.root, to, after.root, proof);
    expect(() => verifyConsistency(from, Buffer.alloc(32, 1), to, after.root, proof)).toThrow();
  });

  it.each([['from=0', 400], ['from=1&to=0', 400], ['from=x', 400], ['', 400], ['from=9007199254740999', 400], ['from=1&to=9999', 404], ['from=5&to=3', 404]])('refuses to prove nothing: %s', async (query, status) => {
    expect((await get(`/log/consistency?${query}`)).status).toBe(status);
  });

  it('shows what witnesses signed about a checkpoint, and takes nothing from anyone else', async () => {
    const text = await (await get('/log/checkpoint')).text();
    const { size } = openCheckpoint(text, trust.logs);
    const post = (leaves: number, line: string) => service.call('POST', '/log/cosignature', { admin: false, body: { size: leaves, line } });
    expect((await post(size, testWitness('other.example', 10).line(noteText(text)))).body.code).toBe('deposit.checkpoint');
    expect((await post(size, witness.line(noteText(text).replace(String(size), '5')))).body.code).toBe('deposit.checkpoint');
    expect((await post(size, `${witness.line(noteText(text))} more`)).body.code).toBe('deposit.malformed');
    expect((await post(size + 1, witness.line(noteText(text)))).body.code).toBe('intake.not_found');
    for (const timeS of [17, 18]) expect((await post(size, witness.line(noteText(text), timeS))).body).toEqual({ witness: witness.name });
    const cosigned = await (await get('/log/checkpoint')).text();
    expect(cosignatures(cosigned, [parseWitness(witness.vkey)])).toEqual([{ name: witness.name, timeS: 18 }]);
    expect(openCheckpoint(cosigned, trust.logs).size).toBe(size);
  });
});
