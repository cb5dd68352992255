/** A command is a row: name, code, handles with their authorization role, parameters, what it answers. One function runs them all. */
import { type Codec, type Shape, struct, type Struct, type Table } from '../wire/codec.js';

/**
 * How a handle is authorised (Part 1 section 19.4.2): none: no session. user: authValue where userWithAuth is set, else policy. admin: the policy, where adminWithPolicy is set.
 */
export type Role = 'none' | 'user' | 'admin';

export interface Command<H extends string = string, P = any, R = any, O extends string = string> {
  readonly name: `TPM2_${string}`;
  readonly code: number;
  readonly handles: readonly { readonly name: H; readonly role: Role }[];
  /** How many of the handles need an authorization. */
  readonly authorised: number;
  readonly params: Codec<P>;
  /** The field that the answer's handle becomes, for commands that answer one. */
  readonly handle: O | undefined;
  readonly returns: Codec<R>;
  /** Key generation, self tests: may take minutes on a real TPM. */
  readonly slow: boolean;
  /** For commands that change the auth value they are authorised by: the new one, which keys the HMAC of the response (Part 1 section 19.6.5). */
  readonly authAfter: ((params: P, handles: readonly number[]) => Uint8Array | undefined) | undefined;
  /** Does the command, does the response begin with a TPM2B? Only that a session can encrypt (Part 1 section 21.1). */
  readonly encryptable: { readonly command: boolean; readonly response: boolean };
}

interface Declaration<H, P, R, O> {
  readonly handles?: H;
  readonly params?: P;
  readonly handle?: O;
  readonly returns?: R;
  readonly slow?: boolean;
  readonly authAfter?: (params: any, handles: readonly number[]) => Uint8Array | undefined;
}

export function command<const H extends Record<string, Role> = {}, const P extends Table = {}, const R extends Table = {}, const O extends string = never>(
  name: `TPM2_${string}`,
  code: number,
  { handles, params, handle, returns, slow = false, authAfter }: Declaration<H, P, R, O> = {},
): Command<keyof H & string, Struct<P>, Struct<R>, O> {
  const all = Object.entries(handles ?? {}).map(([key, role]) => ({ name: key as keyof H & string, role }));
  const authorised = all.filter(({ role }) => role !== 'none').length;
  const encryptable = { command: beginsSized(params), response: beginsSized(returns) };
  return { name, code, handles: all, authorised, params: struct(params ?? ({} as P)), handle, returns: struct(returns ?? ({} as R)), slow, authAfter, encryptable };
}

function beginsSized(table: Table | undefined): boolean {
  const first = Object.values(table ?? {})[0] as Codec<unknown> | undefined;
  return first?.sized === true;
}

/** What running a command gives: its answered fields and, by name, the answered handle. */
export type Result<R, O extends string> = Shape<R & Record<O, number>>;
