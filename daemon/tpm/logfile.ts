/**
 * The measurement log of the present epoch on disk: TCG CEL records, one canonical JSON line each, append-only. A record is durable before the
 * register is extended with it, so that after any crash the register is short of the log by its last records and never the other way round.
 */
import { type FileHandle, open } from 'node:fs/promises';
import { readAnchor, readEntry } from '../../attest/log.js';
import { parse, stringify } from '../../src/base/shape.js';
import { type LogEntry, logEntry } from '../../src/objects/evidence.js';
import { replaceFile } from '../state.js';

const line = (entry: LogEntry): string => `${stringify(logEntry, entry)}\n`;

export class LogFile {
  readonly #path: string;
  #file: FileHandle;
  #entries: LogEntry[];
  /** Of all whole records, bytes. */
  #length: number;
  #torn = false;

  private constructor(path: string, file: FileHandle, entries: LogEntry[], length: number) {
    this.#path = path;
    this.#file = file;
    this.#entries = entries;
    this.#length = length;
  }

  /**
   * Reads the log of an earlier run. A last line without its end was torn by a crash: it was never extended, and is cut off.
   * A log with a damaged line in it explains no register: it is taken for no log at all.
   */
  static async open(path: string): Promise<LogFile> {
    const file = await open(path, 'a+', 0o600);
    const text = await file.readFile('utf8');
    const whole = text.slice(0, text.lastIndexOf('\n') + 1);
    if (whole.length < text.length) {
      await file.truncate(Buffer.byteLength(whole));
      await file.datasync();
    }
    return new LogFile(path, file, readLines(whole), Buffer.byteLength(whole));
  }

  get entries(): readonly LogEntry[] {
    return this.#entries;
  }

  /** Durable when it returns. One at a time. What a full disk took of a record that it refused is cut before the next one. */
  async append(entry: LogEntry): Promise<void> {
    const bytes = Buffer.from(line(entry));
    if (this.#torn) await this.#file.truncate(this.#length);
    this.#torn = true;
    await this.#file.appendFile(bytes);
    await this.#file.datasync();
    this.#length += bytes.length;
    this.#torn = false;
    this.#entries.push(entry);
  }

  /** A new epoch: its first record takes the place of the old log, which the verifier has. */
  async restart(first: LogEntry): Promise<void> {
    const bytes = Buffer.from(line(first));
    await replaceFile(this.#path, bytes);
    await this.#file.close();
    this.#file = await open(this.#path, 'a+', 0o600);
    this.#entries = [first];
    this.#length = bytes.length;
    this.#torn = false;
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

function readLines(text: string): LogEntry[] {
  try {
    const entries = text.split('\n').slice(0, -1).map((entry) => parse(logEntry, entry, 'log entry'));
    entries.forEach(readEntry);
    if (entries.length > 0) readAnchor(entries[0]);
    return entries;
  } catch {
    return [];
  }
}
