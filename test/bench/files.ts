/** Hashing an agent's files, beside `sha256sum` on the same files; and looking again at an agent that did not change. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FileHashes } from '../../daemon/sense/hash.js';
import { TreeSense } from '../../daemon/sense/tree.js';
import type { Agent } from '../../daemon/ports.js';
import { sha256 } from '../../src/base/bytes.js';
import type { AgentManifest } from '../../src/objects/manifest.js';
import { MANIFEST, verifiedManifest } from '../support/agent.js';
import { interleave, median, ratioOf, row, type Row } from './harness.js';
import { inFolder } from './place.js';

const MB = 1_000_000;
/** A program with a few large files, and one with many small ones. */
const TREES = [{ files: 8, bytes: 8 * MB }, { files: 2000, bytes: 4_000 }] as const;
/** Files count as settled when they are some seconds old. */
const later = (): number => Date.now() + 10_000;

interface Tree { root: string; manifest: AgentManifest }

async function makeTree(dir: string, { files, bytes }: (typeof TREES)[number]): Promise<Tree> {
  const root = join(dir, String(files));
  await mkdir(root);
  const content = randomBytes(bytes);
  const paths = Array.from({ length: files }, (_, n) => `${String(n).padStart(5, '0')}.mjs`);
  for (const [n, path] of paths.entries()) {
    content.writeUInt32BE(n);
    await writeFile(join(root, path), content);
  }
  return { root, manifest: { ...MANIFEST, files: paths.map((path) => ({ path, sha256: sha256(path) })) } };
}

const agentOf = ({ root, manifest }: Tree): Agent => ({ id: manifest.agent.id, manifest: verifiedManifest(manifest), root, uid: null });
const lookAt = (tree: Tree, hashes: FileHashes): Promise<unknown> => new TreeSense(hashes).look('/proc/self', agentOf(tree), Date.now());

/** As an installer would check them: one process for all. */
const sha256sum = ({ root, manifest }: Tree): Promise<unknown> => promisify(execFile)('sha256sum', ['-b', ...manifest.files.map(({ path }) => path)], { cwd: root, maxBuffer: 16 * MB });

async function rowsOf(tree: Tree, { files, bytes }: (typeof TREES)[number]): Promise<Row[]> {
  const kept = new FileHashes(later);
  const trees = new TreeSense(kept);
  const agent = agentOf(tree);
  const samples = await interleave({
    first: () => lookAt(tree, new FileHashes(later)),
    again: () => { kept.settle(); return trees.look('/proc/self', agent, Date.now()); },
    sum: () => sha256sum(tree),
  }, { rounds: 7 });
  const what = `${files.toLocaleString('en')} files of ${bytes / 1000} kB`;
  const rate = (ms: number): number => (files * bytes) / MB / (ms / 1000);
  const sum = median(samples.sum);
  return [
    row(`an agent of ${what}, hashed for the first time`, rate(median(samples.first)), 'MB/s', { beside: { what: 'sha256sum, one process for all files', value: rate(sum) }, ratio: ratioOf(samples.sum, samples.first), headline: files < 100 }),
    row(`an unchanged agent of ${what}, looked at again`, median(samples.again), 'ms', { beside: { what: 'sha256sum of all', value: sum }, ratio: ratioOf(samples.again, samples.sum), headline: files > 100 }),
  ];
}

export const run = (): Promise<Row[]> => inFolder(async (dir) => {
  const rows: Row[] = [];
  for (const size of TREES) rows.push(...await rowsOf(await makeTree(dir, size), size));
  return rows;
});
