/**
 * A route as a row: what it is for, who may call it, what it takes and gives. The server checks, the documentation and the test that enumerates all
 * routes read the same row; nothing is served that has none.
 */
import type { Shape } from '../../src/base/shape.js';
import type { Verifier } from '../context.js';

/**
 * Who may call a route. `public`: anyone. `admin`: the operator, by the bearer token of `[api] admin_token_file`. `user`: the operator, or a user who
 * proves the request with her key (`Authorization: Ari-Proof ...`) and whose thing it is; a route that does not say whose does not compile. `signed`:
 * anyone who brings a body that a user or the carrier issuer signed; the signature is the authority, and the handler verifies it before anything else.
 */
export const AUTHORITIES = ['public', 'admin', 'user', 'signed'] as const;
export type Authority = (typeof AUTHORITIES)[number];

export type Params = Readonly<Record<string, string>>;
/** `user`: who proved the request; null when the operator or anybody else calls. `gone`: aborted when the caller has hung up. */
export interface Call<Q, B> { readonly params: Params; readonly query: Q; readonly body: B; readonly user: string | null; readonly gone: AbortSignal }
/** The users whose thing a call is about. */
export type Owner<Q, B> = (v: Verifier, call: Call<Q, B>) => readonly string[] | Promise<readonly string[]>;

type Access<Q, B> = { readonly authority: Exclude<Authority, 'user'>; readonly of?: never } | { readonly authority: 'user'; readonly of: Owner<Q, B> };

export type Route<Q = unknown, B = unknown, A = unknown> = Row<Q, B, A> & Access<Q, B>;
interface Row<Q, B, A> {
  readonly method: 'GET' | 'POST';
  /** Parameters are written `:name`; a last `*` is the rest of the path. */
  readonly path: string;
  readonly summary: string;
  readonly query?: Shape<Q>;
  readonly body?: Shape<B>;
  /** The shape of the JSON answer, or the media type of a text or of bytes. */
  readonly answer: Shape<A> | RawAnswer;
  /** What caches between here and the caller may do; nothing is kept when it is not said. */
  readonly cache?: keyof typeof CACHING;
  readonly status?: number;
  readonly handle: (v: Verifier, call: Call<Q, B>) => Promise<A>;
}

/** Answers that are sent as they are. */
export type RawAnswer = 'text/plain' | 'application/json' | 'application/octet-stream' | 'application/statuslist+jwt' | 'text/event-stream';
/** `immutable`: what a name stands for never changes. `seconds`: it may be a little old. */
export const CACHING = { immutable: 'public, max-age=31536000, immutable', seconds: 'public, max-age=1' } as const;

/** A route whose handler has the types of its shapes. */
export const route = <Q = undefined, B = undefined, A = unknown>(row: Route<Q, B, A>): Route => row as unknown as Route;

export const isRaw = (answer: Route['answer']): answer is RawAnswer => typeof answer === 'string';
