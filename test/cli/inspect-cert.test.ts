/** `ari inspect cert`: what programs and people read, and what a malformed file gets. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Party, ca, ek, issue, party, pemOf, purposes, x509 } from '../support/authority.js';
import { answer } from './support.js';

const dir = mkdtempSync(join(tmpdir(), 'ari-cert-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const file = (name: string, content: string | Buffer): string => { writeFileSync(join(dir, name), content); return join(dir, name); };
const inspect = (...args: string[]) => answer('inspect', 'cert', ...args);

/** Certificates that are valid today. */
const now = Math.floor(Date.now() / 1000);
const life = { from: now - 60, to: now + 3600 };
const SAN = new x509.SubjectAlternativeNameExtension([{ type: 'dn', value: '2.23.133.2.1=id:49465800,2.23.133.2.2=SLB 9670,2.23.133.2.3=id:073f' }], true);
let root: Buffer;
let middle: Buffer;
let chip: Buffer;
let parties: Party[];
beforeAll(async () => {
  parties = await Promise.all([party('CN=Maker root'), party('CN=Maker issuing'), party('')]);
  const [a, b, c] = parties as [Party, Party, Party];
  root = await issue({ subject: a, issuer: a, extensions: ca(), ...life });
  middle = await issue({ subject: b, issuer: a, extensions: ca(), ...life });
  chip = await issue({ subject: c, issuer: b, extensions: [...ek(purposes('2.23.133.8.1')), SAN], ...life });
});

describe('ari inspect cert', () => {
  it('prints exactly what it says, for programs', async () => {
    expect((await inspect(file('chip.der', Buffer.concat([chip, Buffer.alloc(50, 0xff)])), '--json')).json).toEqual({
      subject: '', issuer: 'CN=Maker issuing', key: 'ec:secp256r1', eku: ['2.23.133.8.1'], ca: false, tpm: { manufacturer: 'id:49465800', model: 'SLB 9670', version: 'id:073f' },
      oddities: ['nv-padding', 'subject-empty', 'san-critical'],
    });
    expect((await inspect(file('root.hex', root.toString('hex')), '--json')).json).toMatchObject({ subject: 'CN=Maker root', ca: true, tpm: null });
  });

  it('checks the chain to the given roots, by what else is in the file', async () => {
    const roots = file('roots.pem', pemOf(root));
    const [alone, whole] = [file('alone.pem', pemOf(chip)), file('whole.pem', pemOf(chip) + pemOf(middle))];
    const good = await inspect(whole, '--roots', roots, '--json');
    expect([good.status, good.json?.['chain']]).toEqual([0, { ok: true, code: null }]);
    const bad = await inspect(alone, '--roots', roots, '--json');
    expect([bad.status, bad.json?.['chain']]).toEqual([1, { ok: false, code: 'cert.unchained' }]);
    expect((await inspect(alone, '--roots', file('both.pem', pemOf(root) + pemOf(middle)), '--json')).json?.['chain']).toEqual({ ok: true, code: null });
  });

  it('is text that a person reads', async () => {
    const { out, status } = await inspect(file('whole.pem', pemOf(chip) + pemOf(middle)), '--roots', file('roots.pem', pemOf(root)));
    expect(status).toBe(0);
    for (const part of ['id:49465800', 'SLB 9670', 'san-critical', 'the chain holds: leads to CN=Maker root']) expect(out).toContain(part);
  });

  it('says of a malformed file where and why, and ends with 1', async () => {
    const cut = await inspect(file('cut.der', chip.subarray(0, 90)));
    expect([cut.status, cut.err]).toEqual([1, expect.stringMatching(/cert\.malformed: the certificate cannot be read at byte 0: it is cut off/)]);
    const text = await inspect(file('text', 'hello?'), '--json');
    expect([text.status, text.json]).toMatchObject([1, { error: { code: 'cert.malformed' } }]);
    expect((await inspect(join(dir, 'none'))).status).toBe(2);
  });
});
