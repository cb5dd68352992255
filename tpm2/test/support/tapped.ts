import type { Channel } from '../../src/index.js';

/** A channel with somebody in between: sees every command and may change, replace or delay every answer. The TPM behind it is real. */
export class Tapped implements Channel {
  readonly shared = false;
  readonly sweepable = true;
  readonly sent: number[] = [];
  onCommand: (command: Buffer) => Buffer = (command) => command;
  onResponse: (response: Buffer, code: number) => Buffer | Promise<Buffer> = (response) => response;
  readonly #inner: Channel;

  constructor(inner: Channel) {
    this.#inner = inner;
  }

  get losses(): number {
    return this.#inner.losses;
  }

  async send(command: Uint8Array, deadlineMs?: number): Promise<Buffer> {
    const bytes = Buffer.from(command);
    const code = bytes.readUInt32BE(6);
    this.sent.push(code);
    return await this.onResponse(await this.#inner.send(this.onCommand(bytes), deadlineMs), code);
  }

  close(): Promise<void> {
    return this.#inner.close();
  }
}
