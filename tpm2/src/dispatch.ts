/** One command from values to values, on a channel that is ours for the moment. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Auth, EMPTY_PASSWORD, type Entity } from './auth.js';
import type { Channel } from './channel/channel.js';
import { accept, type AuthCommand, frameCommand, openResponse } from './commands/message.js';
import type { Command } from './commands/row.js';
import { cryptParameter } from './encryption.js';
import { ChannelError } from './errors.js';
import { handleBytes, hasName, RH } from './handles.js';
import { mayRepeat } from './rc.js';
import { cpHash, rpHash, Session } from './session.js';
import { decode, encode } from './wire/codec.js';
import { WireError } from './wire/error.js';

const NOTHING = Buffer.alloc(0);
const CLEAR = { continueSession: false, auditExclusive: false, auditReset: false, decrypt: false, encrypt: false, audit: false };

/** A handle's authorization, made ready: a password, or a session and the authValue it proves. */
interface Proof {
  readonly session: Session | null;
  readonly value: Uint8Array;
}

export function proofOf(auth: Auth, pooled: () => Session): Proof {
  if (auth instanceof Session) return { session: auth, value: NOTHING };
  return auth.by === 'password' ? { session: null, value: auth.value } : { session: auth.session ?? pooled(), value: auth.value };
}

export function authOf(entity: Entity): Auth {
  return (typeof entity === 'number' ? undefined : entity.auth) ?? EMPTY_PASSWORD;
}

export function handleOf(entity: Entity): number {
  return typeof entity === 'number' ? entity : entity.handle;
}

function nameOfEntity(entity: Entity, row: Command): Uint8Array {
  const handle = handleOf(entity);
  if (!hasName(handle)) return handleBytes(handle);
  const name = typeof entity === 'number' ? undefined : entity.name;
  if (name !== undefined) return name;
  throw new TypeError(`${row.name}: an HMAC covers the Name of 0x${handle.toString(16)}: give { handle, name }, or ask Tpm.entity`);
}

/**
 * Sends a command, again while the TPM says so, and gives the answer with all HMACs verified.
 * @throws TpmError, ChannelError; sessions of a command whose fate is unknown are marked lost
 */
export async function dispatch(channel: Channel, row: Command, entities: readonly Entity[], params: unknown, proofs: readonly Proof[], extra: readonly Session[], left: number): Promise<unknown> {
  const all: Proof[] = extra.length === 0 ? [...proofs] : [...proofs, ...extra.map((session) => ({ session, value: NOTHING }))];
  const sessions = all.flatMap(({ session }) => (session === null ? [] : [session]));
  for (const session of sessions) session.roll();
  const bytes = frameCommand(row.code, entities.map(handleOf), ...authorise(row, entities, encode(row.params, params as never), all, sessions));
  try {
    const answer = await repeat(channel, bytes, left, row);
    accept(row, answer, all.length);
    for (const session of sessions) session.ended = !session.continueSession;
    return open(row, answer, all, row.authAfter?.(params, entities.map(handleOf)));
  } catch (cause) {
    if (!(cause instanceof ChannelError) && !(cause instanceof WireError)) throw cause;
    for (const session of sessions) session.lost = true;
    throw cause instanceof ChannelError ? cause : new ChannelError('garbage', `${row.name} was answered with bytes that are no response: ${cause.message}`, { cause });
  }
}

function authorise(row: Command, entities: readonly Entity[], plain: Buffer, all: readonly Proof[], sessions: readonly Session[]): [AuthCommand[], Buffer] {
  if (sessions.length === 0) return [all.map(byPassword), plain];
  const crypting = all.find(({ session }) => session?.encrypted === true);
  const parameters = crypting === undefined || !row.encryptable.command ? plain : cryptParameter(crypting.session!, crypting.value, plain, 'command');
  const hashes = new Map<string, Buffer>();
  const covered = {
    hash(alg: Session['hash']): Buffer {
      const known = hashes.get(alg) ?? cpHash(alg, row.code, entities.map((entity) => nameOfEntity(entity, row)), parameters);
      hashes.set(alg, known);
      return known;
    },
  };
  const first = all[0]?.session;
  const used = crypting?.session ?? first;
  const foreign = used === first || !(row.encryptable.command || row.encryptable.response) ? [] : [used!.nonceTPM];
  return [all.map((proof) => proof.session?.authorise(proof.value, covered, proof.session === first ? foreign : [], row.encryptable) ?? byPassword(proof)), parameters];
}

function byPassword({ value }: Proof): AuthCommand {
  return { sessionHandle: RH.PW, nonce: NOTHING, sessionAttributes: CLEAR, hmac: value as Buffer };
}

/** The same bytes again after RETRY and its kin, at once and then after 1, 2, 4 ... 256 ms, as long as the deadline allows. */
async function repeat(channel: Channel, bytes: Buffer, left: number, row: Command): Promise<ReturnType<typeof openResponse>> {
  const end = performance.now() + left;
  for (let pause = 0.5; ; pause = Math.min(pause * 2, 256)) {
    const answer = openResponse(row, await channel.send(bytes, Math.max(1, end - performance.now())));
    if (!mayRepeat(answer.code) || performance.now() + pause >= end) return answer;
    if (pause >= 1) await sleep(pause);
  }
}

function open(row: Command, answer: ReturnType<typeof openResponse>, all: readonly Proof[], authAfter: Uint8Array | undefined): unknown {
  const hashes = new Map<string, Buffer>();
  const covered = {
    hash(alg: Session['hash']): Buffer {
      const known = hashes.get(alg) ?? rpHash(alg, row.code, answer.code, answer.parameters);
      hashes.set(alg, known);
      return known;
    },
  };
  all.forEach(({ session, value }, i) => session?.verify(i === 0 ? (authAfter ?? value) : value, answer.sessions[i]!, covered));
  const crypting = all.find(({ session }) => session?.encrypted === true);
  const closed = crypting !== undefined && row.encryptable.response;
  const parameters = closed ? cryptParameter(crypting.session!, crypting.value, answer.parameters, 'response') : answer.parameters;
  const fields = decode(row.returns, parameters);
  return row.handle === undefined ? fields : { ...(fields as object), [row.handle]: answer.handle };
}
