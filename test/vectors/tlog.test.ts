import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openCheckpoint, peekCheckpoint } from '../../src/deposit/checkpoint.js';
import { openNote, parseVkey, signNote, toB64, logSigner } from '../../src/deposit/note.js';
import { consistencyProof, inclusionProof, nodesOf } from '../../src/deposit/paths.js';
import { EMPTY_ROOT, EMPTY_TREE, append, leafNode, rootOf } from '../../src/deposit/tree.js';
import { verifyConsistency, verifyInclusion } from '../../src/deposit/verify.js';
import { digest } from '../../src/base/bytes.js';
import { codeOf } from '../support/fault.js';
import { VECTORS, vectorTitle } from '../support/vectors.js';

const at = (...path: string[]): string => join(VECTORS ?? '', ...path);
const refused = /^deposit\.(checkpoint|malformed)$/;

describe.skipIf(VECTORS === null)(vectorTitle('a log that Tessera wrote'), () => {
  const log = 'transparency-dev+tessera/testdata/log';
  const vkey = 'example.com/log/testdata+33d7b496+AeHTu4Q3hEIMHNqc6fASMsq3rKNx280NI+oO5xCFkkSx';
  const checkpoint = (size: number) => openCheckpoint(readFileSync(at(log, `checkpoint.${size}`), 'utf8'), [vkey]);
  const tile = (size: number): Buffer[] => {
    const bytes = size === 0 ? Buffer.alloc(0) : readFileSync(at(log, 'tile/0/000.p', String(size)));
    return Array.from({ length: size }, (_, i) => bytes.subarray(32 * i, 32 * i + 32));
  };

  it('has the root of its checkpoint at every size, and its signature', () => {
    for (let size = 0; size <= 14; size++) {
      expect(checkpoint(size)).toEqual({ origin: 'example.com/log/testdata', size, root: size === 0 ? EMPTY_ROOT : rootOf(append(EMPTY_TREE, tile(size))) });
    }
  });

  it('hashes its entries as its tiles say', () => {
    const bundle = readFileSync(at(log, 'tile/entries/000.p/14'));
    const leaves: Buffer[] = [];
    for (let i = 0; i < bundle.length; i += 2 + bundle.readUInt16BE(i)) leaves.push(leafNode(bundle.subarray(i + 2, i + 2 + bundle.readUInt16BE(i))));
    expect(leaves).toEqual(tile(14));
  });

  it('is proven leaf by leaf and size by size with proofs made here', () => {
    const nodes = nodesOf((i) => tile(14)[i]!);
    for (let size = 1; size <= 14; size++) {
      for (let index = 0; index < size; index++) verifyInclusion(tile(size)[index]!, index, size, inclusionProof(index, size, nodes), checkpoint(size).root);
      verifyConsistency(size, checkpoint(size).root, 14, checkpoint(14).root, consistencyProof(size, 14, nodes));
    }
  });
});

describe.skipIf(VECTORS === null)(vectorTitle('the note of golang.org/x/mod'), () => {
  const vector = VECTORS === null ? null : (JSON.parse(readFileSync(at('golang+mod/derived/note_vectors.json'), 'utf8')) as { vkey: string; skey: string; text: string; signed: string; badVkeys: string[] });

  it('is signed to the same bytes and verified', () => {
    const seed = Buffer.from(vector!.skey.split('+').slice(4).join('+'), 'base64').subarray(1);
    const signer = logSigner('PeterNeumann', seed);
    expect(signer.vkey).toBe(vector!.vkey);
    expect(signNote(vector!.text, signer)).toBe(vector!.signed);
    expect(openNote(vector!.signed, [parseVkey(vector!.vkey)]).text).toBe(vector!.text);
  });

  it('has no key but the whole one', () => {
    const { vkey, badVkeys } = vector!;
    for (const bad of badVkeys.filter((text) => text.includes('+'))) expect(codeOf(() => parseVkey(bad))).toBe('deposit.malformed');
    for (let i = 0; i < vkey.length; i++) {
      expect(codeOf(() => parseVkey(vkey.slice(0, i)))).toBe('deposit.malformed');
      if (i > 0) expect(codeOf(() => parseVkey(vkey.slice(i)))).toBe('deposit.malformed');
      expect(codeOf(() => parseVkey(vkey.slice(0, i) + String.fromCharCode(vkey.charCodeAt(i) + 1) + vkey.slice(i + 1)))).toBe('deposit.malformed');
    }
  });
});

describe.skipIf(VECTORS === null)(vectorTitle('checkpoints of Sigstore logs'), () => {
  interface Entry { canonicalizedBody: string; inclusionProof?: { logIndex: string; treeSize: string; rootHash: string; hashes: string[]; checkpoint?: { envelope: string } } }
  const folder = 'sigstore+sigstore-conformance/test/assets/bundle-verify';
  const entryOf = (name: string): Entry => (JSON.parse(readFileSync(at(folder, name, 'bundle.sigstore.json'), 'utf8')) as { verificationMaterial: { tlogEntries: [Entry] } }).verificationMaterial.tlogEntries[0];
  const noteOf = (name: string): string => entryOf(name).inclusionProof!.checkpoint!.envelope;
  const origin = 'log2025-alpha1.rekor.sigstage.dev';
  const vkey = (): string => {
    const root = JSON.parse(readFileSync(at(folder, 'rekor2-timestamp-outside-trust-root-tsa-validity_fail/trusted_root.json'), 'utf8')) as { tlogs: { baseUrl: string; publicKey: { rawBytes: string } }[] };
    const spki = root.tlogs.find(({ baseUrl }) => baseUrl.endsWith(origin))!.publicKey.rawBytes;
    const typed = Buffer.concat([Uint8Array.of(1), Buffer.from(spki, 'base64').subarray(-32)]);
    return `${origin}+${digest(origin, '\n', typed).toString('hex').slice(0, 8)}+${toB64(typed)}`;
  };

  it.each(['rekor2-happy-path', 'rekor2-checkpoint-multiple-cosigs', 'rekor2-checkpoint-two-sigs-from-origin', 'rekor2-timestamp-with-expired-cert-chain', 'rekor2-timestamp-without-embedded-cert'])('%s is verified', (name) => {
    expect(openCheckpoint(noteOf(name), [vkey()]).origin).toBe(origin);
  });

  it.each(['missing-log-signature', 'missing-origin', 'missing-root-hash', 'missing-size', 'no-matching-signature'])('rekor2-checkpoint-%s is refused', (name) => {
    expect(codeOf(() => openCheckpoint(noteOf(`rekor2-checkpoint-${name}_fail`), [vkey()]))).toMatch(refused);
  });

  it('lead their entries to the root, all but the one with a corrupted hash', () => {
    const proven = readdirSync(at(folder)).filter((name) => /^(?:rekor2-happy|happy-path|rekor2-timestamp-w|managed-key-happy|inclusion-proof)/.test(name));
    for (const name of proven) {
      const { canonicalizedBody, inclusionProof: proof } = entryOf(name);
      const { size, root } = peekCheckpoint(proof!.checkpoint!.envelope);
      const run = () => verifyInclusion(leafNode(Buffer.from(canonicalizedBody, 'base64')), Number(proof!.logIndex), size, proof!.hashes.map((hash) => Buffer.from(hash, 'base64')), root);
      expect(codeOf(run), name).toBe(name.startsWith('inclusion-proof-corrupted') ? 'deposit.proof' : null);
    }
    expect(proven.length).toBeGreaterThan(6);
  });
});
