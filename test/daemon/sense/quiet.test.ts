import { closeSync, linkSync, mkdirSync, mkdtempSync, openSync, readFileSync, renameSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync, writeSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Agent } from '../../../daemon/ports.js';
import { hashTree } from '../../../daemon/sense/build.js';
import { FileHashes } from '../../../daemon/sense/hash.js';
import { TreeSense } from '../../../daemon/sense/tree.js';
import { MANIFEST, verifiedManifest } from '../../support/agent.js';
import { Program, PYTHON, removeDir, tempDir, writeTree } from '../support/agents.js';

const sha = (text: string): string => createHash('sha256').update(text).digest('base64url');
/** Far enough ahead that every ctime counts as settled. */
const later = (): number => Date.now() + 10_000;
const root = process.getuid?.() === 0;
let dir: string;
let path: string;
let hashes: FileHashes;
beforeEach(() => {
  dir = tempDir();
  path = join(dir, 'a');
  hashes = new FileHashes(later);
});
afterEach(() => removeDir(dir));

/** Opens the file, maps it shared and closes its descriptor: from then on it writes without a system call. */
const WRITER = `import mmap, sys
file = open(sys.argv[1], 'r+b')
memory = mmap.mmap(file.fileno(), 4)
file.close()
print('mapped', flush=True)
for line in sys.stdin:
    memory[:] = line[:4].encode()
    print('written', flush=True)
`;

describe('a quiet file', () => {
  const quiet = async (): Promise<number> => {
    writeFileSync(path, 'once');
    expect(await hashes.hash(path)).toMatchObject({ sha256: sha('once'), quiet: true });
    hashes.settle();
    return hashes.changes;
  };

  it('stays what it was, also when somebody reads it', async () => {
    const before = await quiet();
    for (let n = 0; n < 3; n++) readFileSync(path);
    hashes.settle();
    expect(hashes.changes).toBe(before);
    expect((await hashes.hash(path)).quiet).toBe(true);
  });

  it.each([
    ['written', () => writeFileSync(path, 'evil')],
    ['written under another name', () => { linkSync(path, join(dir, 'other')); writeFileSync(join(dir, 'other'), 'evil'); }],
    ['cut', () => truncateSync(path, 2)],
    ['written and its times put back', () => { writeFileSync(path, 'evil'); utimesSync(path, 1, 1); }],
    ['changed and changed back', () => { writeFileSync(path, 'evil'); writeFileSync(path, 'once'); }],
  ])('is no longer what it was when it is %s', async (_, change) => {
    const before = await quiet();
    change();
    hashes.settle();
    expect(hashes.changes).toBeGreaterThan(before);
    expect((await hashes.hash(path)).sha256).toBe(sha(readFileSync(path, 'utf8')));
  });

  it('is never one that somebody has open for writing', async () => {
    writeFileSync(path, 'once');
    const fd = openSync(path, 'r+');
    expect((await hashes.hash(path)).quiet).toBe(false);
    writeSync(fd, 'evil');
    expect(await hashes.hash(path)).toMatchObject({ sha256: sha('evil'), quiet: false });
    closeSync(fd);
    expect((await hashes.hash(path)).quiet).toBe(true);
  });

  it('is no longer quiet while somebody has it mapped, who then writes without a system call', async () => {
    const before = await quiet();
    const writer = new Program(PYTHON, ['-c', WRITER, path]);
    await writer.line();
    hashes.settle();
    expect(hashes.changes).toBeGreaterThan(before);
    expect(await hashes.hash(path)).toMatchObject({ sha256: sha('once'), quiet: false });
    await writer.ask('evil');
    expect(await hashes.hash(path)).toMatchObject({ sha256: sha('evil'), quiet: false });
    await writer.end();
  });

  it('is read again when notices were lost', async () => {
    const before = await quiet();
    writeFileSync(join(dir, 'b'), 'b');
    await hashes.hash(join(dir, 'b'));
    const most = Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8'));
    for (let n = 0; n <= most; n++) closeSync(openSync(n % 2 === 0 ? path : join(dir, 'b'), 'r'));
    hashes.settle();
    expect(hashes.changes).toBeGreaterThan(before);
    expect(Reflect.get(hashes, 'kept')).toHaveProperty('size', 0);
    expect(await hashes.hash(path)).toMatchObject({ sha256: sha('once'), quiet: true });
  });

  it('is none on a file system whose changes are not told', async () => {
    const own = mkdtempSync('/dev/shm/ari-');
    writeFileSync(join(own, 'a'), 'once');
    expect((await hashes.hash(join(own, 'a'))).quiet).toBe(false);
    removeDir(own);
  });

  it.skipIf(!root)('is read again when its file system is gone', async () => {
    const image = join(dir, 'image'), mount = join(dir, 'mount');
    mkdirSync(mount);
    try {
      execFileSync('/bin/sh', ['-c', `truncate -s 4M ${image} && mkfs.ext4 -q ${image} && mount -o loop ${image} ${mount}`], { stdio: 'ignore' });
    } catch {
      return; // no loop devices here
    }
    writeFileSync(join(mount, 'a'), 'once');
    expect((await hashes.hash(join(mount, 'a'))).quiet).toBe(true);
    const before = hashes.changes;
    execFileSync('umount', [mount]);
    hashes.settle();
    expect(hashes.changes).toBeGreaterThan(before);
  });
});

describe('a tree that was looked at', () => {
  const FILES = { 'main.js': 'main', 'lib/a.js': 'a', 'lib/deep/b.js': 'b', 'prompt.txt': 'be honest' };
  let agent: Agent;
  let trees: TreeSense;
  let reads: number;

  beforeEach(async () => {
    dir = tempDir();
    writeTree(join(dir, 'agent'), FILES);
    agent = { id: 'agent', manifest: verifiedManifest({ ...MANIFEST, files: await hashTree(join(dir, 'agent')) }), root: join(dir, 'agent'), uid: null };
    trees = new TreeSense(hashes);
    reads = 0;
    const { hash } = hashes;
    hashes.hash = (file) => { reads++; return hash.call(hashes, file); };
  });
  const look = (startMs = Date.now()): ReturnType<TreeSense['look']> => {
    hashes.settle();
    return trees.look('/proc/self', agent, startMs);
  };
  const inTree = (file: string): string => join(dir, 'agent', file);

  it('is not looked at again while nothing is told of it', async () => {
    const first = await look();
    expect(first).toMatchObject({ files: 4, drift: [], changedSinceStart: [] });
    reads = 0;
    writeFileSync(inTree('state.db'), 'data of the agent');
    readFileSync(inTree('main.js'));
    expect(await look()).toBe(first);
    expect(reads).toBe(0);
  });

  it.each([
    ['a file is changed', () => writeFileSync(inTree('lib/deep/b.js'), 'evil'), [['lib/deep/b.js', 'changed']]],
    ['a file is replaced by another', () => { writeFileSync(join(dir, 'evil'), 'evil'); renameSync(join(dir, 'evil'), inTree('lib/a.js')); }, [['lib/a.js', 'changed']]],
    ['a file is removed', () => rmSync(inTree('prompt.txt')), [['prompt.txt', 'missing']]],
    ['code is added', () => writeTree(dir, { 'agent/lib/node_modules/evil/index.js': 'evil' }), [['lib/node_modules/evil/index.js', 'extra']]],
    ['a folder is replaced by a link to another', () => { renameSync(inTree('lib'), join(dir, 'lib')); writeTree(dir, { 'evil/a.js': 'evil', 'evil/deep/b.js': 'b' }); symlinkSync(join(dir, 'evil'), inTree('lib')); }, [['lib/a.js', 'changed']]],
    ['its root is replaced', () => { renameSync(join(dir, 'agent'), join(dir, 'old')); writeTree(join(dir, 'agent'), { ...FILES, 'main.js': 'evil' }); }, [['main.js', 'changed']]],
  ] as const)('is looked at again when %s', async (_, change, drift) => {
    await look();
    change();
    expect((await look()).drift.map(({ path: file, kind }) => [file, kind])).toEqual(drift);
  });

  it('follows what a link outside of it leads to, each time', async () => {
    await look();
    renameSync(inTree('lib'), join(dir, 'lib'));
    symlinkSync(join(dir, 'lib'), inTree('lib'));
    expect((await look()).drift).toEqual([]);
    writeFileSync(join(dir, 'lib/a.js'), 'evil');
    expect((await look()).drift).toMatchObject([{ path: 'lib/a.js', kind: 'changed' }]);
  });

  it('names what was touched since a process began, and nothing to a process that began after it', async () => {
    await look();
    writeFileSync(inTree('main.js'), 'evil');
    writeFileSync(inTree('main.js'), 'main');
    expect(await look(Date.now() - 1000)).toMatchObject({ drift: [], changedSinceStart: ['lib/a.js', 'lib/deep/b.js', 'main.js', 'prompt.txt'] });
    expect(await look(Date.now() + 1000)).toMatchObject({ drift: [], changedSinceStart: [] });
  });

  it.each([
    ['a file of code', 'lib/evil.js', () => { writeFileSync(inTree('lib/evil.js'), 'evil'); rmSync(inTree('lib/evil.js')); }],
    ['one that was moved in and out', 'lib/evil.js', () => { writeFileSync(join(dir, 'e'), 'evil'); renameSync(join(dir, 'e'), inTree('lib/evil.js')); renameSync(inTree('lib/evil.js'), join(dir, 'e')); }],
    ['a folder of code', 'lib/__pycache__', () => { writeTree(dir, { 'agent/lib/__pycache__/a.pyc': 'evil' }); rmSync(inTree('lib/__pycache__'), { recursive: true }); }],
    ['a file in such a folder', 'lib/__pycache__', () => { writeTree(dir, { 'agent/lib/__pycache__/a.pyc': 'evil' }); rmSync(inTree('lib/__pycache__/a.pyc')); }],
  ])('names %s that came and went, to a process that ran meanwhile and to none that began after it', async (_, path, change) => {
    const early = Date.now() - 1000;
    const before = await look(Date.now() + 1000);
    expect(before).toMatchObject({ drift: [], changedSinceStart: [] });
    change();
    expect((await look(early)).changedSinceStart).toContain(path);
    expect((await look(Date.now() + 1000)).changedSinceStart).toEqual([]);
    expect((await look(early)).changedSinceStart).toContain(path);
  });

  it('says nothing of data that came and went', async () => {
    await look();
    for (const name of ['notes.txt', 'state.db-journal']) {
      writeFileSync(inTree(name), 'x');
      rmSync(inTree(name));
    }
    mkdirSync(inTree('cache'));
    rmSync(inTree('cache'), { recursive: true });
    expect((await look(Date.now() + 1000)).changedSinceStart).toEqual([]);
    expect((await look(0)).changedSinceStart).toEqual(['lib/a.js', 'lib/deep/b.js', 'main.js', 'prompt.txt']);
  });

  it.skipIf(!root)('is looked at again when something is mounted over a part of it', async () => {
    await look();
    writeTree(dir, { 'evil/a.js': 'evil' });
    execFileSync('mount', ['--bind', join(dir, 'evil'), inTree('lib')]);
    try {
      expect((await look()).drift.map(({ path: file }) => file)).toEqual(['lib/a.js', 'lib/deep/b.js']);
    } finally {
      execFileSync('umount', [inTree('lib')]);
    }
  });
});
