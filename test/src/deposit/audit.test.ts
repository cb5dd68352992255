import { beforeAll, describe, expect, it } from 'vitest';
import { auditLog, type AuditOptions } from '../../../src/deposit/audit.js';
import type { Checkpoint } from '../../../src/deposit/checkpoint.js';
import { Edge } from '../../../src/deposit/edge.js';
import { decodeEntries, encodeEntries, type Tile, tilePath } from '../../../src/deposit/tiles.js';
import { leafNode, rootOfLeaves } from '../../../src/deposit/tree.js';
import { fault } from '../../../src/base/fault.js';
import { type DepositLeaf, leafHash, leafText } from '../../../src/objects/leaf.js';

const none = { code: null, payment: null, mandate: null, carrier: null, ear: null, confirmation: null, decision: null, execution: null, receipt: null, subject: null };
const CHAINS = 3;

function logOf(size: number, change: (leaf: DepositLeaf, index: number) => DepositLeaf = (leaf) => leaf): string[] {
  const texts: string[] = [];
  for (let i = 0; i < size; i++) {
    const prev = i < CHAINS ? null : leafHash(texts[i - CHAINS]!);
    texts.push(leafText(change({ kind: i % 2 ? 'permitted' : 'denied', v: 'ari-deposit-1', salt: 'AAAAAAAAAAAAAAAAAAAAAA', chain: `crr_${i % CHAINS}`, seq: Math.floor(i / CHAINS), prev, tsMs: i, ...none }, i)));
  }
  return texts;
}
const checkpointOf = (texts: readonly string[], size = texts.length): Checkpoint => ({ origin: 'log.example', size, root: rootOfLeaves(texts.slice(0, size).map(leafNode)) });

/** A copy of a log as files. */
class Copy {
  readonly files = new Map<string, Buffer>();
  constructor(texts: readonly string[]) {
    for (const { tile, bytes } of new Edge().append(texts)) this.files.set(tilePath(tile), bytes);
  }
  read = (tile: Tile): Promise<Buffer> => {
    const bytes = this.files.get(tilePath(tile));
    return bytes ? Promise.resolve(bytes) : Promise.reject(fault('deposit.malformed', { what: `${tilePath(tile)} is missing` }));
  };
  /** Another text in the place of a leaf; its hash stays what it was, or becomes that of the text. */
  rewrite(index: number, text: string, rehash: boolean): void {
    const [n, at] = [Math.floor(index / 256), index % 256];
    const find = (level: string): string => [...this.files.keys()].find((path) => path.startsWith(`tile/${level}/${String(n).padStart(3, '0')}`))!;
    const width = this.files.get(find('0'))!.length / 32;
    const entries = decodeEntries(this.files.get(find('entries'))!, width).map(String);
    entries[at] = text;
    this.files.set(find('entries'), encodeEntries(entries));
    if (rehash) leafNode(text).copy(this.files.get(find('0'))!, 32 * at);
  }
}

const SIZE = 600;
let texts: string[];
beforeAll(() => { texts = logOf(SIZE); });
const audit = (copy: Copy, checkpoint = checkpointOf(texts), options: AuditOptions = {}) => auditLog(checkpoint, copy.read, options);
const wrongOf = async (copy: Copy, checkpoint?: Checkpoint, options?: AuditOptions) => {
  const { wrong, leaves } = await audit(copy, checkpoint, options);
  return wrong && { index: wrong.index, after: wrong.after, code: wrong.finding.code, leaves };
};

describe('the audit of a log', () => {
  it('finds nothing in a log that is right, at every kind of size, and tells what is in it', async () => {
    for (const size of [0, 1, 255, 256, 257, SIZE]) expect((await audit(new Copy(texts.slice(0, size)), checkpointOf(texts, size))).wrong).toBeNull();
    const seen: number[] = [];
    const report = await audit(new Copy(texts), undefined, { chain: 'crr_1', progress: (leaves) => seen.push(leaves), earlier: [0, 1, 256, 300, SIZE].map((size) => checkpointOf(texts, size)) });
    expect(report).toMatchObject({ wrong: null, leaves: SIZE, chains: 3, kinds: { permitted: 300, denied: 300 } });
    expect(report.chain.map(({ index, leaf }) => [index, leaf.seq])).toEqual(Array.from({ length: SIZE / 3 }, (_, seq) => [3 * seq + 1, seq]));
    expect(seen).toEqual([256, 512, 600]);
  });

  it('names the leaf whose text is not that of its hash', async () => {
    const copy = new Copy(texts);
    copy.rewrite(411, texts[411]!.replace('permitted', 'denied'), false);
    copy.rewrite(500, texts[500]!.replace('denied', 'permitted'), false);
    expect(await wrongOf(copy)).toEqual({ index: 411, after: 411, code: 'deposit.leaf', leaves: 411 });
  });

  it('names the next leaf of the chain when a leaf was rewritten with its hash', async () => {
    const copy = new Copy(texts);
    copy.rewrite(411, texts[411]!.replace('permitted', 'denied'), true);
    expect(await wrongOf(copy)).toMatchObject({ index: 414, code: 'deposit.chain' });
  });

  it('sees a last leaf that was rewritten with its hash: the tree is not the signed one', async () => {
    const copy = new Copy(texts);
    copy.rewrite(599, texts[599]!.replace('permitted', 'denied'), true);
    expect(await wrongOf(copy)).toMatchObject({ index: null, after: 0, code: 'deposit.root' });
    expect(await wrongOf(copy, undefined, { earlier: [checkpointOf(texts, 590)] }), 'an earlier checkpoint bounds the doubt').toMatchObject({ after: 590, code: 'deposit.root' });
  });

  it.each([
    ['left out of its chain', (leaf: DepositLeaf, i: number) => (i === 300 ? { ...leaf, seq: leaf.seq + 1 } : leaf), 300],
    ['out of a chain that does not begin at its beginning', (leaf: DepositLeaf, i: number) => (i === 2 ? { ...leaf, seq: 1 } : leaf), 2],
    ['with another predecessor', (leaf: DepositLeaf, i: number) => (i === 10 ? { ...leaf, prev: leafHash('x') } : leaf), 10],
  ])('names a leaf %s, though the log signed it', async (_, change, index) => {
    const signed = logOf(SIZE, change);
    expect(await wrongOf(new Copy(signed), checkpointOf(signed))).toMatchObject({ index, code: 'deposit.chain' });
  });

  it.each([
    ['no leaf', 'hello', 'intake.malformed'],
    ['a second spelling of a leaf', ' ', 'deposit.malformed'],
  ])('names what is %s, though the log signed it', async (_, text, code) => {
    const signed = [...texts];
    signed[7] = text === ' ' ? ` ${texts[7]!}` : text;
    expect(await wrongOf(new Copy(signed), checkpointOf(signed))).toMatchObject({ index: 7, code });
  });

  it.each(['tile/entries/001', 'tile/0/001', 'tile/0/002.p/88', 'tile/1/000.p/2'])('misses %s', async (path) => {
    const copy = new Copy(texts);
    copy.files.delete(path);
    expect((await wrongOf(copy))?.code).toBe('deposit.malformed');
  });

  it('names a tile above the leaves that is not what they give: proofs from it would fail', async () => {
    const copy = new Copy(texts);
    copy.files.get('tile/1/000.p/2')![40]! ^= 1;
    expect(await wrongOf(copy)).toMatchObject({ index: null, code: 'deposit.tile' });
  });

  it('refuses a log that shows another past than before, or a shorter one', async () => {
    const other = logOf(SIZE, (leaf, i) => (i === 299 ? { ...leaf, kind: 'denied' } as DepositLeaf : leaf));
    expect(await wrongOf(new Copy(texts), undefined, { earlier: [checkpointOf(other, 200), checkpointOf(other, 300)] })).toMatchObject({ index: null, after: 200, code: 'deposit.fork' });
    expect(await wrongOf(new Copy(texts), undefined, { earlier: [checkpointOf(other, SIZE)] })).toMatchObject({ code: 'deposit.fork' });
    expect(await wrongOf(new Copy(texts.slice(0, 500)), checkpointOf(texts, 500), { earlier: [checkpointOf(texts, 501)] })).toMatchObject({ code: 'deposit.truncated' });
  });

  it('lets what is no finding about the log through', async () => {
    await expect(auditLog(checkpointOf(texts), () => Promise.reject(fault('link.offline')))).rejects.toMatchObject({ code: 'link.offline' });
  });
});
