import { existsSync, mkdtempSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FileHashes } from '../../../daemon/sense/hash.js';
import { Program, PYTHON, removeDir, tempDir } from '../support/agents.js';

const sha = (text: string): string => createHash('sha256').update(text).digest('base64url');
/** Far enough ahead that every ctime counts as settled. */
const later = (): number => Date.now() + 10_000;
const PAGE = 4096;
const page = (letter: string): string => letter.repeat(PAGE);
const WRITER = `import mmap, sys
file = open(sys.argv[1], 'r+b')
memory = mmap.mmap(file.fileno(), ${PAGE})
print('ready', flush=True)
for line in sys.stdin:
    memory[:] = line[0].encode() * ${PAGE}
    print('written', flush=True)
`;

describe('the hash of a file', () => {
  let dir: string;
  beforeAll(() => { dir = tempDir(); });
  afterAll(() => removeDir(dir));
  const write = (name: string, text: string): string => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };

  it('is that of its content', async () => {
    expect((await new FileHashes().hash(write('a', 'hello'))).sha256).toBe(sha('hello'));
    expect((await new FileHashes().hash(write('empty', ''))).sha256).toBe(sha(''));
    expect((await new FileHashes().hash(write('long', 'x'.repeat(3_000_001)))).sha256).toBe(sha('x'.repeat(3_000_001)));
  });

  it('follows a write that keeps size and modification time', async () => {
    const hashes = new FileHashes(later);
    const path = write('b', 'one');
    const { atime, mtime } = statSync(path);
    await hashes.hash(path);
    writeFileSync(path, 'two');
    utimesSync(path, atime, mtime);
    expect((await hashes.hash(path)).sha256).toBe(sha('two'));
  });

  it.each(['/dev/shm', null])('follows a writer with a shared mapping whose page was dirty before (%s)', async (folder) => {
    if (folder !== null && !existsSync(folder)) return;
    const own = folder === null ? dir : mkdtempSync(join(folder, 'ari-'));
    const path = join(own, 'mapped');
    writeFileSync(path, page('0'));
    const writer = new Program(PYTHON, ['-c', WRITER, path]);
    await writer.line();
    const hashes = new FileHashes(later);
    for (const letter of ['A', 'B', 'C']) {
      await writer.ask(letter);
      expect((await hashes.hash(path)).sha256).toBe(sha(page(letter)));
    }
    await writer.end();
    if (folder !== null) removeDir(own);
  });

  it('is not kept while ctime is young', async () => {
    const path = write('young', 'one');
    const hashes = new FileHashes();
    await hashes.hash(path);
    expect(Reflect.get(hashes, 'kept')).toHaveProperty('size', 0);
  });

  it('is refused for what is no regular file, without waiting', async () => {
    await expect(new FileHashes().hash('/dev/zero')).rejects.toThrow('no regular file');
    await expect(new FileHashes().hash(dir)).rejects.toThrow();
  });
});
