import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { withDescriptors } from '../../support/disk.js';
import { ListCopy, readCopy, removeCopies } from '../../../daemon/tpm/listcopy.js';

let dir: string;
let source: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'lists-'));
  source = join(dir, 'kernel');
});
afterEach(() => rm(dir, { recursive: true }));

const at = (bytes: number) => ({ entries: 1, bytes });

it('grows with what payments rest on, and each of them has its own beginning of it', async () => {
  const list = randomBytes(200_000);
  await writeFile(source, list);
  const copy = new ListCopy(dir);
  expect(await copy.upTo(source, at(0))).toBeNull();
  const first = (await copy.upTo(source, at(70_000)))!;
  const second = (await copy.upTo(source, at(150_001)))!;
  expect(first.file).toBe(second.file);
  expect(readCopy(dir, first)!.equals(list.subarray(0, 70_000))).toBe(true);
  expect(readCopy(dir, second)!.equals(list.subarray(0, 150_001))).toBe(true);
  expect((await readFile(join(dir, first.file))).length).toBe(150_001);
});

it('is another file for another list, and for another start of the daemon', async () => {
  await writeFile(source, Buffer.alloc(100, 1));
  const copy = new ListCopy(dir);
  const first = (await copy.upTo(source, at(100)))!;
  await copy.upTo(source, at(0));
  await writeFile(source, Buffer.alloc(100, 2));
  const second = (await copy.upTo(source, at(100)))!;
  const third = (await new ListCopy(dir).upTo(source, at(100)))!;
  expect(new Set([first.file, second.file, third.file]).size).toBe(3);
  expect([first, second].map((each) => readCopy(dir, each)![0])).toEqual([1, 2]);
});

it('of a list that is shorter than what is known is none', async () => {
  await writeFile(source, Buffer.alloc(100));
  await expect(new ListCopy(dir).upTo(source, at(101))).rejects.toMatchObject({ code: 'ima.gap' });
});

it('that nothing names is removed, and nothing else', async () => {
  await writeFile(source, Buffer.alloc(100));
  const kept = (await new ListCopy(dir).upTo(source, at(50)))!;
  const lost = (await new ListCopy(dir).upTo(source, at(50)))!;
  removeCopies(dir, new Set([kept.file]));
  expect((await readdir(dir)).sort()).toEqual([kept.file, 'kernel'].sort());
  expect(readCopy(dir, lost)).toBeNull();
});

it('holds no descriptor when it cannot be begun', async () => {
  await writeFile(source, randomBytes(100));
  const copy = new ListCopy(dir);
  const held = async (): Promise<number> => (await readdir('/proc/self/fd')).length;
  const before = await held();
  for (let n = 0; n < 8; n++) await expect(withDescriptors(1, () => copy.upTo(source, at(100)))).rejects.toMatchObject({ code: 'EMFILE' });
  expect(await held()).toBe(before);
  expect(await copy.upTo(source, at(100))).toMatchObject({ bytes: 100 });
});
