import { chmod, mkdtemp, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { count, record } from '../../src/base/shape.js';
import { readPrivate, readState, writeState } from '../../daemon/state.js';

const shape = record({ nextSeq: count });
let dir: string;
let path: string;
beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'state-')); path = join(dir, 'seq.json'); });
afterEach(() => rm(dir, { recursive: true }));

describe('a state file', () => {
  it('comes back as it was written', async () => {
    await writeState(path, shape, { nextSeq: 7 });
    expect(await readState(path, shape)).toEqual({ nextSeq: 7 });
    expect(await readFile(path, 'utf8')).toBe('{"next_seq":7}\n');
  });

  it('is null when it was never written', async () => {
    expect(await readState(path, shape)).toBeNull();
  });

  it('belongs to its owner alone, whatever the umask', async () => {
    const before = process.umask(0);
    await writeState(path, shape, { nextSeq: 1 }).finally(() => process.umask(before));
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('leaves nothing aside, and what a killed writer left aside is not taken for it', async () => {
    await writeState(path, shape, { nextSeq: 1 });
    await writeFile(`${path}.new`, '{"next_seq":', { mode: 0o666 });
    expect(await readState(path, shape)).toEqual({ nextSeq: 1 });
    await writeState(path, shape, { nextSeq: 2 });
    expect(await readdir(dir)).toEqual(['seq.json']);
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  });

  it('is refused when others may read it', async () => {
    await writeState(path, shape, { nextSeq: 1 });
    await chmod(path, 0o640);
    await expect(readPrivate(path)).rejects.toMatchObject({ code: 'config.unreadable', message: expect.stringContaining('mode 640') });
  });

  it.each([['torn', '{"next_seq":'], ['of another shape', '{"next_seq":-1}'], ['with an unknown member', '{"next_seq":1,"more":1}']])('is refused, never guessed, when it is %s', async (_, content) => {
    await writeFile(path, content, { mode: 0o600 });
    await expect(readState(path, shape)).rejects.toMatchObject({ code: 'config.unreadable' });
  });
});
