/** The client: commands as rows, values in and out, one at a time by priority, and nothing left behind in the TPM. */
import type { Auth, Entity } from './auth.js';
import { type Channel, DEFAULT_DEADLINE_MS } from './channel/channel.js';
import { openChannel } from './channel/open.js';
import { NV_ReadPublic, ReadPublic } from './commands/index.js';
import type { Command, Result } from './commands/row.js';
import { Core, type SessionOptions } from './core.js';
import { authOf } from './dispatch.js';
import { handleType, hasName, HT } from './handles.js';
import { nameOf, nvNameOf } from './names.js';
import { Queue, type Turn } from './queue.js';
import { Session } from './session.js';
import type { Input } from './wire/codec.js';

export interface RunOptions {
  /** Authorizations in the order of the handles that need one; default: each entity's own `auth`, else the empty password. */
  auth?: Auth | readonly Auth[];
  /** Sessions besides those that authorise, such as one that encrypts parameters. */
  sessions?: readonly Session[];
  /** Higher goes first among what waits. Default 0. */
  priority?: number;
  /** Milliseconds, waiting included. Default 30 000; for key generation and self tests ten times that. */
  deadline?: number;
}

export interface ConnectOptions {
  /** Default deadline of a command in milliseconds. */
  deadline?: number;
  /** Flush at once what a killed predecessor left behind (swtpm only; never done on a device). Default true. */
  sweep?: boolean;
}

const CLOSING_MS = 1000;

/**
 * Opens a channel and a client on it: `connect('device:/dev/tpmrm0')`, `connect('swtpm:unix:/run/swtpm/s')`, `connect('swtpm:tcp:127.0.0.1:2321')`.
 * @throws ChannelError absent, permission, busy or hung; TypeError for a name of another form
 */
export async function connect(spec: string, { deadline, sweep = true }: ConnectOptions = {}): Promise<Tpm> {
  const tpm = new Tpm(await openChannel(spec), deadline);
  try {
    if (sweep) await tpm.sweep();
  } catch (cause) {
    await tpm.close();
    throw cause;
  }
  return tpm;
}

export class Tpm {
  readonly channel: Channel;
  readonly #core: Core;
  readonly #lane: Queue;
  readonly #deadline: number;

  /** On a channel that nobody else uses. */
  constructor(channel: Channel, deadline = DEFAULT_DEADLINE_MS, core = new Core(channel), lane = new Queue()) {
    this.channel = channel;
    this.#deadline = deadline;
    this.#core = core;
    this.#lane = lane;
  }

  /**
   * Runs one command.
   * @param handles by the names of the row; a bare number, or an entity with Name and authorization
   * @throws TpmError when the TPM refuses; ChannelError when there is no answer to believe; WireError or TypeError when the call itself is wrong
   */
  run<H extends string, P, R, O extends string>(row: Command<H, P, R, O>, handles: Readonly<Record<H, Entity>>, params: Input<P>, options: RunOptions = {}): Promise<Result<R, O>> {
    const entities = row.handles.map(({ name }) => handles[name]);
    const given = options.auth === undefined ? [] : isList(options.auth) ? options.auth : [options.auth];
    const auths = row.authorised === 0 ? [] : entities.filter((_, i) => row.handles[i]!.role !== 'none').map((entity, i) => given[i] ?? authOf(entity));
    const deadline = options.deadline ?? this.#deadline * (row.slow ? 10 : 1);
    const work = (left: number): Promise<unknown> => this.#core.run(row, entities, params, auths, options.sessions ?? [], left);
    return this.#lane.run(work, turn(options.priority, deadline)) as Promise<Result<R, O>>;
  }

  /** Starts a session; the caller flushes it. Better: withSession. A policy session ends with its first successful use. */
  startSession(options: SessionOptions = {}, { priority, deadline = this.#deadline }: Pick<RunOptions, 'priority' | 'deadline'> = {}): Promise<Session> {
    return this.#lane.run((left) => this.#core.startSession(options, left), turn(priority, deadline));
  }

  /** A session for as long as `use` runs: flushed afterwards unless the TPM has ended it. */
  async withSession<T>(options: SessionOptions, use: (session: Session) => Promise<T>, run: Pick<RunOptions, 'priority' | 'deadline'> = {}): Promise<T> {
    const session = await this.startSession(options, run);
    try {
      return await use(session);
    } finally {
      if (!session.ended) await this.flush(session);
    }
  }

  /** A transient object for as long as `use` runs: `withObject(tpm.run(CreatePrimary, ...), async ({ objectHandle, name }) => ...)`. */
  async withObject<O extends { readonly objectHandle: number }, T>(made: Promise<O>, use: (object: O) => Promise<T>): Promise<T> {
    const object = await made;
    try {
      return await use(object);
    } finally {
      await this.flush(object.objectHandle);
    }
  }

  /** Flushes a transient object or a session, ahead of what waits. Never fails: what is gone is gone. */
  flush(what: number | Session): Promise<void> {
    const handle = what instanceof Session ? what.handle : what;
    return this.#lane.run((left) => this.#core.flush(handle, left), { priority: Infinity, deadline: this.#deadline }).catch(() => undefined);
  }

  /**
   * Several commands with nothing of others in between: `use` is given a client that has the turn. Await nothing but that client in it.
   * The deadline is for the turn to come; each command inside has its own, and a queue among themselves.
   */
  exclusive<T>(use: (tpm: Tpm) => Promise<T>, { priority, deadline = this.#deadline }: Pick<RunOptions, 'priority' | 'deadline'> = {}): Promise<T> {
    return this.#lane.run(() => use(new Tpm(this.channel, this.#deadline, this.#core)), turn(priority, deadline));
  }

  /** The entity behind a handle, its Name computed from the public area that the TPM answers. Who can write on the bus can answer another: compare with a Name you know. */
  async entity(handle: number, auth?: Auth): Promise<Exclude<Entity, number>> {
    const rest = auth === undefined ? {} : { auth };
    if (!hasName(handle)) return { handle, ...rest };
    if (handleType(handle) === HT.NV_INDEX) return { handle, name: nvNameOf((await this.run(NV_ReadPublic, { nvIndex: handle }, {})).nvPublic), ...rest };
    return { handle, name: nameOf((await this.run(ReadPublic, { objectHandle: handle }, {})).outPublic), ...rest };
  }

  /** Flushes the transient objects and sessions that a killed predecessor left: how many. Does nothing on a device, where the kernel has done it. */
  sweep(): Promise<number> {
    return this.#lane.run((left) => this.#core.sweep(left), { priority: Infinity, deadline: this.#deadline });
  }

  /** Flushes what is ours and ends the connection. What is still under way after a second fails with ChannelError closed. */
  async close(): Promise<void> {
    await this.#lane.run((left) => this.#core.release(left), { priority: Infinity, deadline: CLOSING_MS }).catch(() => undefined);
    await this.channel.close();
  }
}

function isList(auth: Auth | readonly Auth[]): auth is readonly Auth[] {
  return Array.isArray(auth);
}

function turn(priority: number | undefined, deadline: number): Turn {
  return priority === undefined ? { deadline } : { priority, deadline };
}
