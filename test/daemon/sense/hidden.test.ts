/** Code beside the manifest that hides from whoever looks: where nobody can go, as what nobody takes for code, behind notices that are drowned. */
import { execFileSync } from 'node:child_process';
import { closeSync, openSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Agent } from '../../../daemon/ports.js';
import { hashTree } from '../../../daemon/sense/build.js';
import { FileHashes } from '../../../daemon/sense/hash.js';
import { TreeSense } from '../../../daemon/sense/tree.js';
import { MANIFEST, verifiedManifest } from '../../support/agent.js';
import { withDescriptors } from '../../support/disk.js';
import { Program, PYTHON, tempDir, writeTree } from '../support/agents.js';

let dir: string;
let agent: Agent;
let hashes: FileHashes;
let trees: TreeSense;
beforeEach(async () => {
  dir = tempDir();
  writeTree(join(dir, 'agent'), { 'main.js': 'main', 'lib/a.js': 'a', 'lib/prices.json': '{}', 'lib/node_modules/b/index.js': 'b' });
  agent = { id: 'agent', manifest: verifiedManifest({ ...MANIFEST, files: await hashTree(join(dir, 'agent')) }), root: join(dir, 'agent'), uid: null };
  hashes = new FileHashes(() => Date.now() + 10_000);
  trees = new TreeSense(hashes);
});
afterEach(() => execFileSync('rm', ['-rf', dir])); // also what no path reaches

const inTree = (file: string): string => join(dir, 'agent', file);
const look = (startMs = Date.now() + 1000): ReturnType<TreeSense['look']> => {
  hashes.settle();
  return trees.look('/proc/self', agent, startMs);
};
const drifted = async (): Promise<string[]> => (await look()).drift.map(({ path, kind }) => `${path.slice(0, 40)} (${kind})`);

describe('code beside the manifest is seen', () => {
  it('when a folder that no path reaches stands beside it, and that folder is named', async () => {
    writeTree(join(dir, 'agent'), { 'evil.js': 'evil' });
    execFileSync(PYTHON, ['-c', 'import os, sys\nos.chdir(sys.argv[1])\nfor _ in range(30): os.mkdir("x" * 200); os.chdir("x" * 200)', join(dir, 'agent')]);
    expect((await drifted()).sort()).toEqual(['evil.js (extra)', `${'x'.repeat(40)} (unreadable)`]);
  });

  it('while folders come and go beside it', async () => {
    writeTree(join(dir, 'agent'), { 'evil.js': 'evil' });
    const restless = new Program(PYTHON, ['-c', `import os, sys\nos.chdir(sys.argv[1])\nprint('on', flush=True)\nwhile True:\n  for n in range(64): os.mkdir(f't{n}')\n  for n in range(64): os.rmdir(f't{n}')`, join(dir, 'agent')]);
    await restless.line();
    try {
      for (let n = 0; n < 100; n++) expect(await drifted()).toEqual(['evil.js (extra)']);
    } finally {
      await restless.end();
    }
  });

  it.each([
    ['a pipe, which a runtime reads as a file', 'lib/evil.js', () => void execFileSync('mkfifo', [inTree('lib/evil.js')])],
    ['a file that require() takes before the one with the ending', 'lib/a', () => writeFileSync(inTree('lib/a'), 'evil')],
    ['one that it takes before the data', 'lib/prices', () => writeFileSync(inTree('lib/prices'), 'evil')],
    ['a module of one file', 'lib/node_modules/evil', () => writeFileSync(inTree('lib/node_modules/evil'), 'evil')],
    ['a module of one file in a scope', 'node_modules/@evil/b', () => writeTree(join(dir, 'agent'), { 'node_modules/@evil/b': 'evil' })],
    ['where an interpreter has its libraries', 'venv/bin/pyvenv.cfg', () => writeTree(join(dir, 'agent'), { 'venv/bin/pyvenv.cfg': 'home = /evil' })],
  ])('as %s, whether it is told of or found', async (_, path, add) => {
    expect(await drifted()).toEqual([]);
    add();
    expect(await drifted()).toEqual([`${path} (extra)`]);
    trees = new TreeSense(hashes);
    expect(await drifted()).toEqual([`${path} (extra)`]);
  });

  it('and what looks like it and is data is none', async () => {
    writeTree(join(dir, 'agent'), { 'lib/notes': 'x', 'main.log': 'x', 'lib/node_modules/.cache-state': 'x', 'lib/node_modules/b/LICENSE': 'x', 'a': 'x' });
    expect(await drifted()).toEqual([]);
  });
});

describe('code that came and went is named', () => {
  const most = Number(readFileSync('/proc/sys/fs/inotify/max_queued_events', 'utf8'));
  const comeAndGo = (): void => {
    writeFileSync(inTree('evil.js'), 'evil');
    rmSync(inTree('evil.js'));
  };

  it('when somebody who may only read drowns the notices of files', async () => {
    await look();
    for (let n = 0; n <= most; n++) closeSync(openSync(inTree(n % 2 === 0 ? 'main.js' : 'lib/a.js'), 'r'));
    comeAndGo();
    for (let n = 0; n <= most; n++) closeSync(openSync(inTree(n % 2 === 0 ? 'main.js' : 'lib/a.js'), 'r'));
    expect((await look(Date.now() - 60_000)).changedSinceStart).toContain('evil.js');
  });

  it('or that it may have, when names came and went faster than they are told', async () => {
    await look();
    writeFileSync(inTree('t0'), 'data');
    for (let n = 0; n <= most / 2; n++) renameSync(inTree(`t${n}`), inTree(`t${n + 1}`));
    comeAndGo();
    expect((await look(Date.now() - 60_000)).changedSinceStart).toContain('(more names than are told)');
    expect((await look()).changedSinceStart).toEqual([]);
  });
});

it('is seen after two looks at one tree at a time, whichever ends last', async () => {
  const { hash } = hashes;
  let open = (): void => undefined;
  const gate = new Promise<void>((resolve) => { open = resolve; });
  hashes.hash = async (path) => { await gate; return hash.call(hashes, path); };
  const slow = look();
  await wait(50);
  hashes.hash = hash;
  const fast = look();
  await Promise.race([fast, wait(200)]);
  open();
  await Promise.all([slow, fast]);
  writeTree(join(dir, 'agent'), { 'evil.js': 'evil' });
  expect(await drifted()).toEqual(['evil.js (extra)']);
});

it('a sidecar that has no descriptors left measures nothing: it finds no file missing and no folder empty', async () => {
  await look();
  for (const left of [0, 1, 2, 3]) {
    for (const { path } of agent.manifest.value.files) writeFileSync(inTree(path), readFileSync(inTree(path)));
    await expect(withDescriptors(left, () => look()), `with ${left} left`).rejects.toMatchObject({ code: 'EMFILE' });
  }
  expect(await drifted()).toEqual([]);
});
