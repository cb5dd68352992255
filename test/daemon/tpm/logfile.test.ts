import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bootAnchorContent, logEntry } from '../../../attest/log.js';
import { sha256 } from '../../../src/base/bytes.js';
import { LogFile } from '../../../daemon/tpm/logfile.js';
import { whileFull } from '../../support/disk.js';

const anchor = logEntry(0, '01d10300', bootAnchorContent({ random: 'A'.repeat(22), resetCount: 1, restartCount: 0, nonce: sha256('n') }));
const second = logEntry(1, '01d10300', { kind: 'sidecar', data: { version: '1' } });
let dir: string;
let path: string;
beforeEach(async () => { dir = await mkdtemp(join(tmpdir(), 'log-')); path = join(dir, 'log'); });
afterEach(() => rm(dir, { recursive: true }));

const written = async (): Promise<string> => {
  const file = await LogFile.open(path);
  await file.restart(anchor);
  await file.append(second);
  await file.close();
  return readFile(path, 'utf8');
};
const entriesOf = async () => {
  const file = await LogFile.open(path);
  await file.close();
  return file.entries;
};

describe('the log file', () => {
  it('gives back what was appended, one canonical record a line', async () => {
    expect((await written()).split('\n')).toHaveLength(3);
    expect(await entriesOf()).toEqual([anchor, second]);
  });

  it('holds one epoch: a new one takes the place of the old', async () => {
    await written();
    const file = await LogFile.open(path);
    await file.restart(anchor);
    await file.append(second);
    await file.close();
    expect(await entriesOf()).toEqual([anchor, second]);
  });

  it('loses a torn last line wherever it was torn, and goes on from there', async () => {
    const text = await written();
    for (let cut = 1; cut < 40; cut++) {
      await writeFile(path, text + text.slice(0, cut));
      expect(await entriesOf()).toEqual([anchor, second]);
      expect(await readFile(path, 'utf8')).toBe(text);
    }
    await writeFile(path, text.slice(0, -1));
    const file = await LogFile.open(path);
    expect(file.entries).toEqual([anchor]);
    await file.append(second);
    await file.close();
    expect(await readFile(path, 'utf8')).toBe(text);
  });

  it('goes on after a disk was full in the middle of a record', async () => {
    const text = await written();
    const file = await LogFile.open(path);
    await file.restart(anchor);
    await whileFull(text.length - 9, () => expect(file.append(second)).rejects.toThrow());
    expect(file.entries).toEqual([anchor]);
    await file.append(second);
    await file.close();
    expect(await readFile(path, 'utf8')).toBe(text);
    expect(await entriesOf()).toEqual([anchor, second]);
  });

  it.each([
    ['a changed record', (text: string) => text.replace('"recnum":1', '"recnum":2')],
    ['a record whose digest is another', (text: string) => text.replace(/"digest":"../, '"digest":"00')],
    ['no anchor', (text: string) => text.slice(text.indexOf('\n') + 1)],
  ])('with %s in it is no log', async (_, damage) => {
    await writeFile(path, damage(await written()));
    expect(await entriesOf()).toEqual([]);
  });

  it('is no log when something else was appended', async () => {
    await written();
    await appendFile(path, 'hello\n');
    expect(await entriesOf()).toEqual([]);
  });
});
