import { createHash, generateKeyPairSync, privateEncrypt, sign, type KeyObject, createPublicKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { coverage, formatOf, imaStart, isHonest, judgeIma, parseIma, pathOf, replayIma } from '../../attest/ima/index.js';
import { verifyDigest } from '../../attest/ima/prehashed.js';
import type { ImaPolicy } from '../../src/objects/reference.js';
import { codeOf } from '../support/fault.js';
import { type MadeEntry, asciiList, binaryList, hashOf, pcr10Of } from './support/logs.js';

const A = 'aa'.repeat(32);
const B = 'bb'.repeat(32);
const ENTRIES: readonly MadeEntry[] = [
  { path: 'boot_aggregate' }, { path: '/usr/bin/node', digest: A }, { path: '/usr/bin/old', alg: 'sha1', digest: 'cc'.repeat(20) }, { path: '/var/log/busy', violation: true },
  { path: '/opt/signed', digest: B, template: 'ima-sig', sig: Buffer.from('0302', 'hex') }, { path: '/opt/verity', digest: B, template: 'ima-ngv2' }, { path: '.builtin_trusted_keys', digest: B, template: 'ima-buf', sig: Buffer.alloc(5, 1) },
];
const entries = parseIma('ima-binary', binaryList(ENTRIES));

describe('an IMA list', () => {
  it('says the same as text and in bytes', () => {
    const text = asciiList(ENTRIES);
    expect([formatOf(text), formatOf(binaryList(ENTRIES))]).toEqual(['ima-ascii', 'ima-binary']);
    const said = (list: typeof entries) => list.map((entry) => ({ ...entry, size: 0 }));
    expect(said(parseIma('ima-ascii', text))).toEqual(said(entries));
    expect(entries.map(({ fields }) => pathOf(fields!))).toEqual(ENTRIES.map(({ path }) => path));
  });

  it('is replayed in each bank, violations as FF, by its own hash or by SHA-1 with zeros', () => {
    for (const bank of ['sha1', 'sha256', 'sha384'] as const) expect(replayIma(entries, bank, 'own').get(10)).toEqual(pcr10Of(ENTRIES, bank));
    for (const bank of ['sha256', 'sha384'] as const) expect(replayIma(entries, bank, 'padded').get(10)).toEqual(pcr10Of(ENTRIES, bank, true));
  });

  it('whose template hash is not that of its data is not honest', () => {
    const lie = Buffer.from(binaryList(ENTRIES));
    lie[lie.indexOf('/usr/bin/node')] = 0x2e;
    expect(parseIma('ima-binary', lie).map(isHonest)).toEqual([true, false, true, true, true, true, true]);
  });

  it.each<[string, 'ima-binary' | 'ima-ascii', Buffer]>([
    ['that ends inside an entry', 'ima-binary', binaryList(ENTRIES).subarray(0, -2)],
    ['of a PCR that is none', 'ima-binary', Buffer.concat([Buffer.from('18000000', 'hex'), binaryList(ENTRIES).subarray(4)])],
    ['with a name of 4 GiB', 'ima-binary', Buffer.concat([Buffer.alloc(24), Buffer.alloc(4, 0xff), Buffer.alloc(64)])],
    ['with a field that goes beyond its entry', 'ima-binary', Buffer.from(binaryList([{ path: '/x' }]).toString('hex').replace('28000000', '29000000'), 'hex')],
    ['of text that is no entry', 'ima-ascii', Buffer.from('this is no list\n')],
    ['of text with a digest that is no hex', 'ima-ascii', Buffer.from(`10 ${'00'.repeat(20)} ima-ng sha256:zz /x\n`)],
    ['of text in an unknown template', 'ima-ascii', Buffer.from(`10 ${'00'.repeat(20)} mine sha256:00 /x\n`)],
    ['of text with more fields than its template', 'ima-ascii', Buffer.from(`10 ${'00'.repeat(20)} ima-ng sha256:00 /x /y\n`)],
  ])('%s is refused whole', (_, format, bytes) => {
    expect(codeOf(() => parseIma(format, bytes))).toBe('ima.malformed');
  });
});

describe('a quote of PCR 10', () => {
  const quoted = (count: number, padded = false): Buffer => pcr10Of(ENTRIES.slice(0, count), 'sha256', padded);

  it.each([[0], [3], [7]])('covers the first %i entries: what came later is not attested', (count) => {
    expect(coverage(entries, 'sha256', imaStart('sha256'), quoted(count))).toMatchObject({ head: { how: 'own' } });
    expect(coverage(entries, 'sha256', imaStart('sha256'), quoted(count))!.covered).toHaveLength(count);
  });

  it('covers a bank that holds padded SHA-1', () => {
    expect(coverage(entries, 'sha256', imaStart('sha256'), quoted(5, true))).toMatchObject({ head: { how: 'padded' }, covered: { length: 5 } });
  });

  it('goes on where the last one ended, without the entries before', () => {
    const { head } = coverage(entries, 'sha256', imaStart('sha256'), quoted(3))!;
    const rest = parseIma('ima-binary', binaryList(ENTRIES.slice(3)), 3);
    expect(rest[0]!.n).toBe(3);
    expect(coverage(rest, 'sha256', [head], quoted(6))).toMatchObject({ covered: { length: 3 } });
    expect(coverage(rest, 'sha256', imaStart('sha256'), quoted(6))).toBeNull();
  });

  it('covers nothing of a list from which an entry was taken, or in which one was changed', () => {
    for (const lie of [ENTRIES.filter((_, i) => i !== 1), ENTRIES.map((entry, i) => (i === 1 ? { ...entry, digest: B } : entry)), ENTRIES.map((entry) => ({ ...entry, violation: false }))]) {
      expect(coverage(parseIma('ima-binary', binaryList(lie)), 'sha256', imaStart('sha256'), quoted(7))).toBeNull();
    }
  });

  it('a change that is made to look like a violation is found', () => {
    const lie = ENTRIES.map((entry, i) => (i === 1 ? { ...entry, violation: true } : entry));
    expect(coverage(parseIma('ima-binary', binaryList(lie)), 'sha256', imaStart('sha256'), quoted(7))).toBeNull();
  });
});

const policy = (changes: Partial<ImaPolicy> = {}): ImaPolicy => ({ files: [{ path: '/usr/bin/node', digests: [`sha256:${A}`] }], signers: [], closed: false, maxViolations: 1, sidecar: ['/usr/bin/node'], ...changes });
const judged = (all: readonly MadeEntry[], changes?: Partial<ImaPolicy>) => judgeIma(parseIma('ima-binary', binaryList(all)), policy(changes));
const codes = (all: readonly MadeEntry[], changes?: Partial<ImaPolicy>): string[] => judged(all, changes).findings.map(({ code }) => code);

describe('the policy of IMA', () => {
  it('finds nothing where each listed file has a listed digest, and finds the sidecar', () => {
    expect(judged(ENTRIES)).toEqual({ findings: [], violations: 1, sidecar: true });
  });

  it('a listed file with another digest is named, and is no measured sidecar', () => {
    const changed = [...ENTRIES, { path: '/usr/bin/node', digest: B }];
    expect(judged(changed)).toMatchObject({ sidecar: false, findings: [{ code: 'ima.policy', message: expect.stringContaining('/usr/bin/node') }] });
  });

  it('a closed policy names what is neither listed nor signed', () => {
    expect(codes([{ path: 'boot_aggregate' }, { path: '/usr/bin/node', digest: A }, { path: '/tmp/evil' }], { closed: true })).toEqual(['ima.policy']);
    expect(codes([{ path: '/tmp/evil' }])).toEqual([]);
  });

  it('more violations than allowed are a finding, and take the sidecar’s place away', () => {
    expect(judged(ENTRIES, { maxViolations: 0 })).toMatchObject({ sidecar: false, findings: [{ code: 'ima.violation' }] });
  });

  it('a sidecar that was not measured, or of which only a part was, is none', () => {
    expect(judged([{ path: '/usr/bin/other', digest: A }]).sidecar).toBe(false);
    expect(judged(ENTRIES, { sidecar: ['/usr/bin/node', '/opt/ari/main.js'] }).sidecar).toBe(false);
    expect(judged(ENTRIES, { sidecar: [] }).sidecar).toBe(false);
  });

  it('a path stands in a finding without its control characters', () => {
    expect(judged([{ path: '/tmp/\u001b[2Jx' }], { closed: true }).findings[0]!.message).toContain('/tmp/?[2Jx');
  });
});

const HASH_ALGO = { sha256: 4, sha384: 5, sha512: 6 } as const;
const spki = (key: KeyObject): string => key.export({ format: 'der', type: 'spki' }).toString('base64url');
const keyId = (key: KeyObject): Buffer => {
  const { kty, x, y } = key.export({ format: 'jwk' });
  const bits = kty === 'RSA' ? key.export({ format: 'der', type: 'pkcs1' }) : Buffer.concat([Buffer.of(4), Buffer.from(x!, 'base64url'), Buffer.from(y!, 'base64url')]);
  return hashOf('sha1', bits).subarray(-4);
};
function xattr(version: 2 | 3, alg: keyof typeof HASH_ALGO, key: KeyObject, signature: Buffer, type = 3): Buffer {
  const size = Buffer.alloc(2);
  size.writeUInt16BE(signature.length);
  return Buffer.concat([Buffer.of(type, version, HASH_ALGO[alg]), keyId(key), size, signature]);
}

describe('a signed file', () => {
  const contents = Buffer.from('#!/usr/bin/node\n');
  const digest = hashOf('sha256', contents);
  const keys = [generateKeyPairSync('rsa', { modulusLength: 2048 }), generateKeyPairSync('ec', { namedCurve: 'P-256' }), generateKeyPairSync('ec', { namedCurve: 'P-384' })].map((pair) => [pair.publicKey.asymmetricKeyDetails?.namedCurve ?? 'rsa', pair] as const);
  const list = (sig: Buffer, path = '/opt/main.js', measured = digest): string[] => codes([{ path, digest: measured.toString('hex'), template: 'ima-sig', sig }], { closed: true, files: [], signers: keys.map(([, { publicKey }]) => spki(publicKey)) });

  it.each(keys)('by %s is good, over its digest or over its kind and digest', (_, { privateKey, publicKey }) => {
    expect(list(xattr(2, 'sha256', publicKey, sign('sha256', contents, privateKey)))).toEqual([]);
    expect(list(xattr(3, 'sha256', publicKey, sign('sha256', Buffer.concat([Buffer.of(3, 4), digest]), privateKey)))).toEqual([]);
  });

  it.each(keys)('by %s is not good for another file, by another key, or with a bit changed', (_, { privateKey, publicKey }) => {
    const signature = sign('sha256', contents, privateKey);
    const flipped = Buffer.from(signature);
    flipped[flipped.length - 1]! ^= 1;
    expect(list(xattr(2, 'sha256', publicKey, signature), '/x', hashOf('sha256', Buffer.from('other')))).toEqual(['ima.policy']);
    expect(list(xattr(2, 'sha256', publicKey, flipped))).toEqual(['ima.policy']);
    expect(list(xattr(2, 'sha384', publicKey, signature))).toEqual(['ima.policy']);
    const stranger = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    expect(list(xattr(2, 'sha256', stranger.publicKey, sign('sha256', contents, stranger.privateKey)))).toEqual(['ima.policy']);
  });

  it('by a key that is not one is refused when the policy is read', () => {
    expect(codeOf(() => judgeIma([], policy({ signers: ['AAAA'] })))).toBe('config.invalid');
  });

  it('over a digest agrees with node’s own verification of the message, for many keys', () => {
    for (let i = 0; i < 20; i++) {
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: i % 2 ? 'P-384' : 'P-256' });
      const message = createHash('sha512').update(`${i}`).digest();
      for (const alg of ['sha256', 'sha384', 'sha512'] as const) {
        const signature = sign(alg, message, privateKey);
        expect(verifyDigest(createPublicKey(publicKey.export({ format: 'pem', type: 'spki' })), alg, hashOf(alg, message), signature)).toBe(true);
        expect(verifyDigest(publicKey, alg, hashOf(alg, Buffer.from('other')), signature)).toBe(false);
      }
    }
  });

  it('by RSA needs the whole DigestInfo: a digest without it, or behind other bytes, is refused', () => {
    const [, { privateKey, publicKey }] = keys[0]!;
    expect(verifyDigest(publicKey, 'sha256', digest, privateEncrypt(privateKey, digest))).toBe(false);
    expect(verifyDigest(publicKey, 'sha256', digest, Buffer.alloc(256))).toBe(false);
  });
});
