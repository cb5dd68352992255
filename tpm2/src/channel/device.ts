/**
 * A TPM character device, best /dev/tpmrm0: the kernel keeps objects and sessions apart per open file and ends them with it.
 * Reads and writes run on libuv's pool, one at a time, so the event loop stays free while the TPM signs.
 */
import { close, constants, open, read, write } from 'node:fs';
import { promisify } from 'node:util';
import { ChannelError } from '../errors.js';
import { type Channel, channelError, DEFAULT_DEADLINE_MS } from './channel.js';
import { HEADER_SIZE, MAX_RESPONSE } from './limits.js';

const fs = { open: promisify(open), close: promisify(close), read: promisify(read), write: promisify(write) };

export class DeviceChannel implements Channel {
  readonly shared: boolean;
  readonly sweepable = false;
  losses = 0;
  readonly #path: string;
  #fd: number | null = null;
  #busy = false;
  #closed = false;
  /** A command that was given up but still blocks in the kernel: its file is closed when it ends, and no other is opened before. */
  #stuck: Promise<unknown> | null = null;

  private constructor(path: string) {
    this.#path = path;
    this.shared = !/\/tpm\d+$/.test(path);
  }

  static async open(path: string): Promise<DeviceChannel> {
    const channel = new DeviceChannel(path);
    await channel.#open();
    return channel;
  }

  async send(command: Uint8Array, deadlineMs = DEFAULT_DEADLINE_MS): Promise<Buffer> {
    if (this.#closed) throw new ChannelError('closed', `${this.#path}: the channel was closed`);
    if (this.#busy) throw new ChannelError('busy', `${this.#path}: a command is under way`);
    this.#busy = true;
    let late: NodeJS.Timeout | undefined;
    const deadline = new Promise<never>((_, fail) => {
      late = setTimeout(() => fail(new ChannelError('hung', `${this.#path}: no answer in ${Math.round(deadlineMs)} ms`)), deadlineMs);
    });
    deadline.catch(() => undefined);
    try {
      if (this.#stuck !== null) await Promise.race([this.#stuck, deadline]);
      const fd = this.#fd ?? (await this.#open());
      const exchange = this.#exchange(fd, command);
      exchange.catch(() => undefined);
      return await Promise.race([exchange, deadline]).catch((cause: unknown) => {
        this.#lose(fd, exchange);
        throw cause;
      });
    } catch (cause) {
      throw channelError(this.#path, cause);
    } finally {
      clearTimeout(late);
      this.#busy = false;
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
    const fd = this.#fd;
    this.#fd = null;
    if (fd !== null && !this.#busy) await fs.close(fd).catch(() => undefined);
  }

  async #open(): Promise<number> {
    try {
      return (this.#fd = await fs.open(this.#path, constants.O_RDWR));
    } catch (cause) {
      throw channelError(this.#path, cause);
    }
  }

  async #exchange(fd: number, command: Uint8Array): Promise<Buffer> {
    const sent = await fs.write(fd, command).catch((cause: NodeJS.ErrnoException) => {
      // The kernel's resource manager answers so to a handle that is not of this open file.
      if (cause.code === 'EINVAL') throw new ChannelError('closed', `${this.#path}: the kernel knows no such handle here, or no such command`, { cause });
      throw cause;
    });
    if (sent.bytesWritten !== command.byteLength) throw new ChannelError('closed', `${this.#path}: took ${sent.bytesWritten} of ${command.byteLength} bytes`);
    const response = Buffer.allocUnsafe(MAX_RESPONSE);
    const { bytesRead } = await fs.read(fd, response, 0, response.length, null);
    if (bytesRead < HEADER_SIZE || response.readUInt32BE(2) !== bytesRead) throw new ChannelError('garbage', `${this.#path}: ${bytesRead} bytes that are no response`);
    return response.subarray(0, bytesRead);
  }

  #lose(fd: number, exchange: Promise<unknown>): void {
    this.#fd = null;
    this.losses++;
    const ended = exchange.catch(() => undefined).then(() => fs.close(fd)).catch(() => undefined);
    this.#stuck = ended;
    void ended.then(() => { if (this.#stuck === ended) this.#stuck = null; });
  }
}
