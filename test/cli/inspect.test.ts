/** `ari inspect`: what programs and people read of attestations and logs, and what a malformed file gets. */
import { generateKeyPairSync, sign } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Attest, Signature, encode } from '@ari-sidecar/tpm2';
import { afterAll, describe, expect, it } from 'vitest';
import { GOOD_BOOT, type MadeEntry, agileLog, asciiList, binaryList, hashOf, pcr10Of, pcrsOf } from '../attest/support/logs.js';
import { answer } from './support.js';

const dir = mkdtempSync(join(tmpdir(), 'ari-inspect-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const file = (name: string, content: string | Buffer): string => { writeFileSync(join(dir, name), content); return join(dir, name); };
const inspect = (...args: string[]) => answer('inspect', ...args);

const ENTRIES: readonly MadeEntry[] = [{ path: 'boot_aggregate' }, { path: '/usr/bin/node' }, { path: '/busy', violation: true }];
const pcr10 = pcr10Of(ENTRIES.slice(0, 2));
const ATTEST = encode(Attest, {
  magic: 0xff544347, type: 'quote', qualifiedSigner: Buffer.alloc(34), extraData: Buffer.from('0a0b', 'hex'), clockInfo: { clock: 1n, resetCount: 2, restartCount: 3, safe: true }, firmwareVersion: 4n,
  attested: { pcrSelect: [{ hash: 'sha256', pcrs: [10] }], pcrDigest: hashOf('sha256', pcr10) },
});
const ak = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const raw = sign('sha256', ATTEST, { key: ak.privateKey, dsaEncoding: 'ieee-p1363' });
const quote = file('quote', ATTEST);
const log = file('log', agileLog(GOOD_BOOT));
const list = file('list', binaryList(ENTRIES));
const files = ['--signature', file('sig', encode(Signature, { sigAlg: 'ecdsa', hash: 'sha256', signatureR: raw.subarray(0, 32), signatureS: raw.subarray(32) }).toString('hex')), '--ak', file('ak.pem', String(ak.publicKey.export({ format: 'pem', type: 'spki' })))];

describe('ari inspect quote', () => {
  it('gives the verdict of every check that the files allow', async () => {
    const pcrs = file('pcrs.json', JSON.stringify({ sha256: { 10: pcr10.toString('hex') } }));
    const { status, json } = await inspect('quote', quote, ...files, '--nonce', '0a0b', '--pcrs', pcrs, '--json');
    expect([status, json]).toEqual([0, { ok: true, code: null, attest: expect.objectContaining({ type: 'quote', extraData: '0a0b', pcrSelect: [{ hash: 'sha256', pcrs: [10] }] }) }]);
    expect((await inspect('quote', quote, ...files, '--nonce', '0a')).status).toBe(1);
    expect((await inspect('quote', quote, ...files, '--nonce', '0a', '--json')).json).toMatchObject({ ok: false, code: 'quote.nonce' });
    expect((await inspect('quote', quote, ...files)).out).toContain('holds: signature, type, key');
  });

  it('of a file that is none says so, with status 1', async () => {
    expect(await inspect('quote', list, '--json')).toMatchObject({ status: 1, json: { ok: false, code: 'quote.magic', attest: null } });
    expect(await inspect('quote', quote, '--nonce', 'xyz')).toMatchObject({ status: 2 });
  });
});

describe('ari inspect eventlog and ima', () => {
  it('print exactly the members that programs read', async () => {
    expect((await inspect('eventlog', log, '--json')).json).toEqual({
      events: GOOD_BOOT.length + 1, startupLocality: null, trailingBytes: 0,
      pcrs: Object.fromEntries((['sha1', 'sha256'] as const).map((bank) => [bank, Object.fromEntries([...pcrsOf(GOOD_BOOT, bank)].map(([pcr, value]) => [String(pcr), value.toString('hex')]))])),
    });
    expect((await inspect('ima', file('text', asciiList(ENTRIES)), '--json')).json).toMatchObject({ entries: 3, violations: 1, pcrs: { sha1: { 10: pcr10Of(ENTRIES, 'sha1').toString('hex') } } });
  });

  it('count the entries that a quote covers, and end with 1 when it covers none', async () => {
    expect((await inspect('ima', list, '--quote', quote, '--json')).json).toMatchObject({ quoted: 2 });
    expect((await inspect('ima', list, '--quote', quote)).out).toContain('the quote covers the first 2');
    expect(await inspect('ima', file('short', binaryList(ENTRIES.slice(0, 1))), '--quote', quote, '--json')).toMatchObject({ status: 1, json: { quoted: null } });
  });

  it('tell people what the log would prove, and what nothing covers', async () => {
    const { out } = await inspect('eventlog', log);
    for (const words of ['EV_EFI_VARIABLE_DRIVER_CONFIG', 'Secure Boot, if the PCRs are so: on', 'not covered by any digest:', 'the types of all events']) expect(out).toContain(words);
  });

  it.each([['eventlog', 'boot.malformed', /byte \d+/], ['ima', 'ima.malformed', /byte \d+/], ['public', 'quote.malformed', /byte \d+/], ['attest', 'quote.magic', /magic/], ['evidence', 'intake.malformed', /./]])('%s of a malformed file says where and why, with status 1', async (kind, code, where) => {
    const { status, err } = await inspect(kind, file('bad', agileLog(GOOD_BOOT).subarray(0, 333)));
    expect([status, err]).toEqual([1, expect.stringContaining(code)]);
    expect(err).toMatch(where);
    expect((await inspect(kind, join(dir, 'bad'), '--json')).json).toMatchObject({ error: { code } });
  });

  it('of a file that is not there end with status 2', async () => {
    expect(await inspect('eventlog', join(dir, 'none'))).toMatchObject({ status: 2, err: expect.stringContaining('ENOENT') });
  });
});
