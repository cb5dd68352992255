/**
 * The device's journal: an append-only file of JSON lines, one per step of a payment. What was appended is on the disk when the promise resolves
 * (O_DSYNC: a write returns when its data would survive a power cut; appends that wait share one). A crash can tear the last line only: it is cut at
 * the next start. So can a full disk: what it took of a record that was refused is cut before the next one.
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { type Json, parseJson } from '../../src/base/json.js';

export interface Journal {
  /** Appends one record, a JSON text without line breaks; durable when it resolves. */
  append(record: string): Promise<void>;
  close(): Promise<void>;
}

/** Reads the records of a journal file and the length of its sound part. */
function sound(text: Buffer): { records: Json[]; length: number } {
  const records: Json[] = [];
  let length = 0;
  for (let end = text.indexOf(10); end !== -1; end = text.indexOf(10, length)) {
    try {
      records.push(parseJson(text.subarray(length, end)));
    } catch {
      break;
    }
    length = end + 1;
  }
  return { records, length };
}

/** Opens or makes the journal. @returns what it holds, and the journal to go on with */
export async function openJournal(file: string): Promise<{ records: Json[]; journal: Journal }> {
  const handle = await open(file, constants.O_RDWR | constants.O_APPEND | constants.O_CREAT | constants.O_DSYNC, 0o600);
  const text = await handle.readFile();
  const { records, length } = sound(text);
  if (length < text.length) await handle.truncate(length);
  return { records, journal: new FileJournal(handle, length) };
}

class FileJournal implements Journal {
  private waiting: { line: string; done: () => void; failed: (error: unknown) => void }[] = [];
  private busy = false;
  private idle: Promise<void> = Promise.resolve();
  private readonly handle: FileHandle;
  /** Of all that was promised, bytes. */
  private length: number;
  private torn = false;

  constructor(handle: FileHandle, length: number) {
    this.handle = handle;
    this.length = length;
  }

  append(record: string): Promise<void> {
    return new Promise((done, failed) => {
      this.waiting.push({ line: `${record}\n`, done, failed });
      if (!this.busy) this.idle = this.drain();
    });
  }

  private async drain(): Promise<void> {
    this.busy = true;
    while (this.waiting.length > 0) {
      const group = this.waiting.splice(0);
      try {
        await this.write(Buffer.from(group.map((w) => w.line).join('')));
        for (const { done } of group) done();
      } catch (error) {
        for (const { failed } of group) failed(error);
      }
    }
    this.busy = false;
  }

  private async write(lines: Buffer): Promise<void> {
    if (this.torn) await this.handle.truncate(this.length);
    this.torn = true;
    await this.handle.appendFile(lines);
    this.length += lines.length;
    this.torn = false;
  }

  async close(): Promise<void> {
    await this.idle;
    await this.handle.close();
  }
}
