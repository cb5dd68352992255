/** What all users of one TPM share: the channel, what is ours in it, and the pooled HMAC sessions. Called by one command at a time. */
import { randomBytes } from 'node:crypto';
import type { Auth, Entity } from './auth.js';
import type { Channel } from './channel/channel.js';
import { FlushContext, GetCapability, StartAuthSession } from './commands/index.js';
import type { Command } from './commands/row.js';
import { dispatch, proofOf } from './dispatch.js';
import { TpmError } from './errors.js';
import { handleType, HT, isSession, RH } from './handles.js';
import { RC } from './rc.js';
import { seedFor } from './seed.js';
import { Session } from './session.js';
import { HASH_SIZE, type HashAlg, type PublicInput } from './structures/index.js';

export interface SessionOptions {
  type?: 'hmac' | 'policy' | 'trial';
  hash?: HashAlg;
  /** A loaded decryption key whose public area you trust (such as the certified EK): its salt keys the session, so that nobody on the bus can know it. */
  salt?: { readonly handle: number; readonly publicArea: PublicInput };
  /** Encrypt first parameters both ways. Needs a salt to keep out who can read the bus. */
  encrypted?: boolean;
}

/** Where a predecessor's leavings are listed: transient objects, loaded sessions, saved sessions. */
const SWEPT = [0x80000000, 0x02000000, 0x03000000] as const;

export class Core {
  readonly channel: Channel;
  /** Transient objects and sessions that this client made and has not flushed. */
  readonly #own = new Set<number>();
  #idle: Session[] = [];
  #losses: number;

  constructor(channel: Channel) {
    this.channel = channel;
    this.#losses = channel.losses;
  }

  /** Runs a command with all that belongs to it: pooled sessions, a sweep after a lost connection, one more try where room was missing. */
  async run(row: Command, entities: readonly Entity[], params: unknown, auths: readonly Auth[], extra: readonly Session[], left: number): Promise<unknown> {
    const end = performance.now() + left;
    const remaining = (): number => Math.max(1, end - performance.now());
    if (this.channel.losses !== this.#losses) await this.#recover(remaining());
    try {
      return await this.#attempt(row, entities, params, auths, extra, remaining());
    } catch (cause) {
      if (!(cause instanceof TpmError) || !(await this.#mended(cause, auths, remaining()))) throw cause;
      return await this.#attempt(row, entities, params, auths, extra, remaining());
    }
  }

  async #attempt(row: Command, entities: readonly Entity[], params: unknown, auths: readonly Auth[], extra: readonly Session[], left: number): Promise<unknown> {
    const pooled: Session[] = [];
    const needed = auths.filter((auth) => !(auth instanceof Session) && auth.by === 'hmac' && auth.session === undefined).length;
    try {
      while (pooled.length < needed) pooled.push(this.#idle.pop() ?? (await this.startSession({}, left)));
      let next = 0;
      const proofs = auths.map((auth) => proofOf(auth, () => pooled[next++]!));
      const result = await dispatch(this.channel, row, entities, params, proofs, extra, left);
      this.#account(row, params, result);
      for (const { session } of proofs) if (session?.ended === true) this.#own.delete(session.handle);
      return result;
    } finally {
      for (const session of pooled) await this.#giveBack(session, left);
    }
  }

  async #giveBack(session: Session, left: number): Promise<void> {
    if (!session.lost && this.#idle.length === 0) this.#idle.push(session);
    else if (this.channel.losses === this.#losses) await this.flush(session.handle, left);
    else this.#own.delete(session.handle); // the next sweep, or the kernel, ends it
  }

  #account(row: Command, params: unknown, result: unknown): void {
    if (row.handle !== undefined) this.#own.add((result as Record<string, number>)[row.handle]!);
    else if (row.code === FlushContext.code) this.#own.delete((params as { flushHandle: number }).flushHandle);
  }

  async startSession({ type = 'hmac', hash = 'sha256', salt, encrypted = false }: SessionOptions, left: number): Promise<Session> {
    const nonceCaller = randomBytes(HASH_SIZE[hash]);
    const shared = salt === undefined ? undefined : seedFor(salt.publicArea, 'SECRET');
    const params = {
      nonceCaller, encryptedSalt: shared?.encryptedSecret ?? Buffer.alloc(0), sessionType: type, authHash: hash,
      symmetric: encrypted ? { algorithm: 'aes', keyBits: 128, mode: 'cfb' } : { algorithm: 'null' },
    };
    const answer = (await this.run(StartAuthSession, [salt?.handle ?? RH.NULL, RH.NULL], params, [], [], left)) as { sessionHandle: number; nonceTPM: Buffer };
    const start = { type, hash, handle: answer.sessionHandle, nonceCaller, nonceTPM: answer.nonceTPM, salt: shared?.seed ?? Buffer.alloc(0) };
    return new Session(start, encrypted);
  }

  /** Flushes whatever happens: what is gone is gone, and what the connection swallowed the next sweep finds. */
  async flush(handle: number, left: number): Promise<void> {
    this.#own.delete(handle);
    await dispatch(this.channel, FlushContext, [], { flushHandle: handle }, [], [], left).catch(() => undefined);
  }

  /** Flushes all that is ours. Where the kernel stands in between, closing does it. */
  async release(left: number): Promise<void> {
    this.#idle = [];
    if (this.channel.shared || this.channel.losses !== this.#losses) return;
    for (const handle of this.#own) await this.flush(handle, left);
  }

  /** Flushes the transient objects and sessions that are not ours. Nothing on a shared channel: there is nothing to see, and on a raw device it belongs to others. */
  async sweep(left: number): Promise<number> {
    if (!this.channel.sweepable) return 0;
    const kept = new Set([...this.#own].map((handle) => (isSession(handle) ? handle & 0xffffff : handle)));
    let flushed = 0;
    for (const property of SWEPT) {
      const ask = { capability: 'handles', property, propertyCount: 254 };
      const answer = await dispatch(this.channel, GetCapability, [], ask, [], [], left).catch((cause: unknown) => {
        if (cause instanceof TpmError && cause.base === RC.INITIALIZE) return null; // not started: nothing is loaded
        throw cause;
      });
      const { capabilityData } = (answer ?? { capabilityData: { data: [] } }) as { capabilityData: { data: number[] } };
      for (const handle of capabilityData.data) {
        if (kept.has(isSession(handle) ? handle & 0xffffff : handle)) continue;
        await this.flush(handle, left);
        flushed++;
      }
    }
    return flushed;
  }

  /** After a lost connection: sessions are of no more use, a kernel manager has dropped the objects too, and a command may have left one unseen. */
  async #recover(left: number): Promise<void> {
    const losses = this.channel.losses;
    this.#idle = [];
    for (const handle of this.#own) if (this.channel.shared || handleType(handle) !== HT.TRANSIENT) this.#own.delete(handle);
    await this.sweep(left);
    this.#losses = losses;
  }

  /** True where the same command may now succeed: room was made, or the pooled sessions had died with a TPM reset. */
  async #mended(error: TpmError, auths: readonly Auth[], left: number): Promise<boolean> {
    if (error.base >= RC.REFERENCE_S0 && error.base < RC.REFERENCE_S0 + 7) {
      for (const session of this.#idle) this.#own.delete(session.handle);
      this.#idle = [];
      return auths.length > 0 && auths.every((auth) => !(auth instanceof Session) && auth.by === 'hmac' && auth.session === undefined);
    }
    const full = error.base === RC.OBJECT_MEMORY || error.base === RC.SESSION_MEMORY || error.base === RC.SESSION_HANDLES;
    return full && (await this.sweep(left)) > 0;
  }
}
