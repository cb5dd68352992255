import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openJournal } from '../../daemon/journal/journal.js';
import { whileFull } from '../support/disk.js';

let dir: string;
let file: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ari-journal-'));
  file = join(dir, 'j');
});
afterEach(() => rm(dir, { recursive: true, force: true }));

describe('the journal', () => {
  it('gives back what was appended, in order', async () => {
    const { journal } = await openJournal(file);
    await Promise.all(Array.from({ length: 100 }, (_, n) => journal.append(JSON.stringify({ n }))));
    await journal.close();
    const { records, journal: again } = await openJournal(file);
    expect(records).toEqual(Array.from({ length: 100 }, (_, n) => ({ n })));
    await again.close();
  });

  it('cuts a torn last line and goes on behind the sound part', async () => {
    const { journal } = await openJournal(file);
    await journal.append('{"n":1}');
    await journal.close();
    await appendFile(file, '{"n":2,"half');
    const { records, journal: next } = await openJournal(file);
    expect(records).toEqual([{ n: 1 }]);
    await next.append('{"n":3}');
    await next.close();
    expect(await readFile(file, 'utf8')).toBe('{"n":1}\n{"n":3}\n');
  });

  it('does not read past a line that is no JSON: what follows it was never promised', async () => {
    await writeFile(file, '{"n":1}\nrubbish\n{"n":2}\n');
    const { records, journal } = await openJournal(file);
    expect(records).toEqual([{ n: 1 }]);
    await journal.close();
  });

  it('says so when the disk refuses, and loses none of the others', async () => {
    const { journal } = await openJournal(file);
    await journal.close();
    await expect(journal.append('{"n":1}')).rejects.toThrow();
  });

  it('keeps what is promised after a disk was full in the middle of a record', async () => {
    const { journal } = await openJournal(file);
    await journal.append('{"n":1}');
    await whileFull(12, () => expect(journal.append('{"n":2}')).rejects.toThrow());
    await journal.append('{"n":3}');
    await journal.close();
    const { records, journal: again } = await openJournal(file);
    expect(records).toEqual([{ n: 1 }, { n: 3 }]);
    await again.close();
  });

  it('holds every record that was promised before a kill -9', async () => {
    const program = `
      const { openJournal } = await import(${JSON.stringify(join(process.cwd(), 'dist/daemon/journal/journal.js'))});
      const { journal } = await openJournal(${JSON.stringify(file)});
      for (let n = 0; ; n++) { await journal.append(JSON.stringify({ n })); process.stdout.write(n + '\\n'); }`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', program], { stdio: ['ignore', 'pipe', 'inherit'] });
    let told = '';
    await new Promise<void>((done) => child.stdout.on('data', (data: Buffer) => {
      told += data.toString();
      if (told.length > 400) done();
    }));
    child.kill('SIGKILL');
    await new Promise((done) => child.once('close', done));
    const promised = told.split('\n').filter(Boolean).length;
    const { records, journal } = await openJournal(file);
    expect(records.length).toBeGreaterThanOrEqual(promised);
    expect(records).toEqual(records.map((_, n) => ({ n })));
    await journal.close();
  });
});
