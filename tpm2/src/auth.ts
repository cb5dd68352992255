/** Who is named by a handle, and how the right to use it is proven. */
import type { Session } from './session.js';

/** An authValue in clear (TPM_RS_PW, Part 1 section 19.4): whoever watches the bus reads it. */
export interface Password {
  readonly by: 'password';
  readonly value: Uint8Array;
}

/** An authValue proven by HMAC and never sent. Without a session the client uses a long-lived one of its own, at no extra command. */
export interface Hmac {
  readonly by: 'hmac';
  readonly value: Uint8Array;
  readonly session?: Session;
}

/** How one handle is authorised: a password, an HMAC, or a policy session. */
export type Auth = Password | Hmac | Session;

/** What a handle stands for. `name` is needed where an HMAC covers the command and the handle is an object's or an index's. */
export type Entity = number | { readonly handle: number; readonly name?: Uint8Array; readonly auth?: Auth };

export function password(value: Uint8Array | string): Password {
  return { by: 'password', value: typeof value === 'string' ? Buffer.from(value) : value };
}

/** With a policy session: for policies that hold PolicyAuthValue. */
export function hmac(value: Uint8Array | string, session?: Session): Hmac {
  const bytes = typeof value === 'string' ? Buffer.from(value) : value;
  return session === undefined ? { by: 'hmac', value: bytes } : { by: 'hmac', value: bytes, session };
}

export const EMPTY_PASSWORD: Password = password('');
