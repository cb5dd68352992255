/** Bytes that are not the structure they should be, or a value that its structure cannot carry. Thrown by decode and encode, never anything else. */
export class WireError extends Error {
  override readonly name = 'WireError';
  /** Dotted path of the field, e.g. `attested.pcrSelect[1].hash`; empty at the root. */
  path: string;
  /** Offset in bytes from the start of what was being read or written. */
  readonly at: number;
  readonly #fault: string;

  constructor(fault: string, at: number) {
    super(`at byte ${at}: ${fault}`);
    this.path = '';
    this.at = at;
    this.#fault = fault;
  }

  /** Names the enclosing field: called while the error rises, so that success pays nothing for paths. */
  inside(field: string): this {
    this.path = this.path === '' ? field : `${field}${this.path.startsWith('[') ? '' : '.'}${this.path}`;
    this.message = `${this.path} at byte ${this.at}: ${this.#fault}`;
    return this;
  }

  /** The stack was captured before the path was known: its first line is made to say the same as the message. Once per error, by decode and encode. */
  sealed(): this {
    const frames = (this.stack ?? '').replace(/^[\s\S]*?\n(?= +at )/, '');
    this.stack = `${this.name}: ${this.message}\n${frames}`;
    return this;
  }
}
