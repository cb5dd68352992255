/** Whole commands and responses as bytes: Part 1 section 18, Part 3 section 5. */
import { ChannelError, TpmError } from '../errors.js';
import { MAX_DIGEST, SessionAttributes } from '../structures/index.js';
import { encode, type Infer, type Input, struct } from '../wire/codec.js';
import { buffer, u32 } from '../wire/fields.js';
import { Reader } from '../wire/reader.js';
import { Writer } from '../wire/writer.js';
import { COMMANDS } from './index.js';
import type { Command } from './row.js';

const NO_SESSIONS = 0x8001;
const SESSIONS = 0x8002;
/** The tag of an answer to a command whose own tag was bad (TPM 1.2 style). */
const RSP_COMMAND = 0x00c4;
export const HEADER = 10;

/** TPMS_AUTH_COMMAND, Part 2 section 10.13.2. */
export const AuthCommand = struct({ sessionHandle: u32, nonce: buffer(MAX_DIGEST), sessionAttributes: SessionAttributes, hmac: buffer(MAX_DIGEST) });
export type AuthCommand = Infer<typeof AuthCommand>;
/** TPMS_AUTH_RESPONSE, Part 2 section 10.13.3. */
export const AuthResponse = struct({ nonce: buffer(MAX_DIGEST), sessionAttributes: SessionAttributes, hmac: buffer(MAX_DIGEST) });
export type AuthResponse = Infer<typeof AuthResponse>;

/** A command's bytes from its parts; `parameters` are encoded already, because cpHash is over them. */
export function frameCommand(code: number, handles: readonly number[], sessions: readonly Input<AuthCommand>[], parameters: Uint8Array): Buffer {
  const w = new Writer(256 + parameters.byteLength);
  w.u16(sessions.length === 0 ? NO_SESSIONS : SESSIONS);
  w.u32(0);
  w.u32(code);
  for (const handle of handles) w.u32(handle);
  if (sessions.length > 0) {
    const at = w.pos;
    w.u32(0);
    for (const session of sessions) AuthCommand.write(w, session as AuthCommand, {});
    w.patchU32(at, w.pos - at - 4);
  }
  w.put(parameters);
  w.patchU32(2, w.pos);
  return w.written;
}

export interface CommandMessage {
  row: Command;
  handles: number[];
  sessions: AuthCommand[];
  params: unknown;
}

/** Takes a recorded command apart. @throws WireError */
export function decodeCommand(bytes: Uint8Array): CommandMessage {
  const r = new Reader(bytes);
  const tag = r.u16();
  if (tag !== NO_SESSIONS && tag !== SESSIONS) r.fail(`tag 0x${tag.toString(16)} is no command's`, 0);
  if (r.u32() !== bytes.byteLength) r.fail('commandSize is not the size of the message', 2);
  const code = r.u32();
  const row = COMMANDS.get(code) ?? r.fail(`command 0x${code.toString(16)} is not in the table`, 6);
  const handles = row.handles.map(() => r.u32());
  const sessions: AuthCommand[] = [];
  if (tag === SESSIONS) {
    const size = r.u32();
    const end = r.skip(size) + size;
    r.pos = end - size;
    while (r.pos < end) sessions.push(AuthCommand.read(r, {}));
    if (r.pos !== end || size === 0) r.fail('authorizationSize does not end between sessions');
  }
  const params = row.params.read(r, {});
  if (r.left > 0) r.fail(`${r.left} bytes left over`);
  return { row, handles, sessions, params };
}

export function encodeCommand({ row, handles, sessions, params }: CommandMessage): Buffer {
  return frameCommand(row.code, handles, sessions, encode(row.params, params));
}

export interface Answer {
  code: number;
  handle: number | undefined;
  /** The parameters as bytes: rpHash is over them, so they are decoded only after the HMACs were verified. */
  parameters: Buffer;
  sessions: AuthResponse[];
}

/** Takes a response apart without believing it: bounds, sizes and tags are checked, nothing is interpreted. @throws WireError */
export function openResponse(row: Command, bytes: Uint8Array): Answer {
  const r = new Reader(bytes);
  const tag = r.u16();
  if (tag !== NO_SESSIONS && tag !== SESSIONS && tag !== RSP_COMMAND) r.fail(`tag 0x${tag.toString(16)} is no response's`, 0);
  if (r.u32() !== bytes.byteLength) r.fail('responseSize is not the size of the message', 2);
  const code = r.u32();
  if (code !== 0 || tag === RSP_COMMAND) {
    if (r.left > 0 || tag === SESSIONS || code === 0) r.fail('an error answers nothing but its code');
    return { code, handle: undefined, parameters: r.take(0), sessions: [] };
  }
  const handle = row.handle === undefined ? undefined : r.u32();
  if (tag === NO_SESSIONS) return { code, handle, parameters: r.take(r.left), sessions: [] };
  const parameters = r.take(r.u32());
  const sessions: AuthResponse[] = [];
  while (r.left > 0) sessions.push(AuthResponse.read(r, {}));
  if (sessions.length === 0) r.fail('has the tag of sessions and none');
  return { code, handle, parameters, sessions };
}

/** The bytes of an answer: the inverse of openResponse. */
export function frameResponse({ code, handle, parameters, sessions }: Answer): Buffer {
  const w = new Writer();
  w.u16(sessions.length === 0 ? NO_SESSIONS : SESSIONS);
  w.u32(0);
  w.u32(code);
  if (handle !== undefined) w.u32(handle);
  if (sessions.length > 0) w.u32(parameters.byteLength);
  w.put(parameters);
  for (const session of sessions) AuthResponse.write(w, session, {});
  w.patchU32(2, w.pos);
  return w.written;
}

/** @throws TpmError when the code is not success; ChannelError garbage when the number of sessions is not what was sent. */
export function accept(row: Command, answer: Answer, sessions: number): void {
  if (answer.code !== 0) throw new TpmError(answer.code, row.name);
  if (answer.sessions.length !== sessions) throw new ChannelError('garbage', `${row.name}: ${answer.sessions.length} sessions answered, ${sessions} were sent`);
}
