/**
 * What crosses the agent's socket: `POST /v1/payments` (a {@link paymentRequest} with an `Idempotency-Key`), `GET /v1/payments/{id}`,
 * `GET /v1/payments/{id}/bundle`, `GET /v1/status`, `GET /v1/events` (server-sent events), and `/x/{ucp|acp|ap2|x402}/{host}/{path}`, which answers as
 * that payee or in that protocol's words. Errors are RFC 9457 problems with `code` and `fix`;
 * the problem of a refused payment carries the payment as `payment`.
 */
import { z } from 'zod';
import { type Of, count, id, name, publicJwk, record, seconds, sha256Text, text, token, url } from './base/shape.js';
import { type Code, isCode } from './codes.js';
import { money } from './money.js';
import { DECISIONS, PAYMENT_STATES, TIERS, type PaymentState } from './names.js';
import { payee } from './objects/intent.js';

export const AGENT_SOCKET = '/run/ari/agent.sock';
/** An idempotency key: visible ASCII (draft-ietf-httpapi-idempotency-key-header), one per payment, repeated on a retry. */
export const idempotencyKey = z.string().min(1).max(255).regex(/^[\x21-\x7e]+$/, 'must be visible ASCII of at most 255 characters');

const code = z.string().refine(isCode) as z.ZodType<Code, string>;

/** Milliseconds by name of a stage. Decimal text on the wire: no JSON of the project holds a fraction. */
export const stageTimes = z.record(z.string().max(32), z.codec(z.string().regex(/^[0-9]{1,12}\.[0-9]{3}$/), z.number().min(0), { decode: Number, encode: (ms) => ms.toFixed(3) }));

/** One payment as its agent sees it. `ms` is the time each stage took, by its name. */
export const paymentView = record({
  paymentId: id('pay'),
  state: z.enum(PAYMENT_STATES),
  decision: z.enum(DECISIONS).nullable(),
  code: code.nullable(),
  message: text(1024).nullable(),
  amount: money,
  payee,
  attempt: count,
  tier: z.enum(TIERS).nullable(),
  /** The execution token: what the payee captures with, when it does that itself. */
  execution: token().nullable(),
  receipt: token().nullable(),
  confirmUrl: url.nullable(),
  ms: stageTimes,
  /** Of a payment that was made offline alone: it is decided when the device is back. `voucher` (JSON text) is what the payee checks meanwhile. */
  offline: record({ allowanceId: id('alw'), voucher: z.string().max(262_144) }).optional(),
});
export type PaymentView = Of<typeof paymentView>;

/** What may still be paid without network, as far as the device knows. `exp` in seconds. */
export const offlineLeft = record({ allowanceId: id('alw'), mandateId: id('mnd'), count, total: money, exp: seconds });
export type OfflineLeft = Of<typeof offlineLeft>;

/** The sidecar as an agent or operator sees it. `tpm.state` is `ready` or the `tpm.*` code of what is wrong; `reason` says why the tier is no higher. */
export const statusView = record({
  version: text(64),
  tier: z.enum(TIERS),
  reason: text(512).nullable(),
  deviceId: id('dev').nullable(),
  verifier: record({ url, connected: z.boolean() }),
  tpm: record({ channel: text(4096), state: z.union([z.literal('ready'), code]) }),
  agents: z.array(record({ agentId: name(), version: name(64), manifestSha256: sha256Text, jwk: publicJwk, mandates: count, revoked: z.literal(true).optional(), allowances: z.array(offlineLeft).optional() })),
  /** How many payments stand in each state. */
  payments: z.partialRecord(z.enum(PAYMENT_STATES), count),
});
export type StatusView = Of<typeof statusView>;

/**
 * `POST /v1/launches`, from the sidecar's own user or root only: the process `pid`, which is connected and waits, will run this agent with the next
 * exec it does. `options` and `env_names` are what it will be given: names, never values.
 */
export const launchRequest = record({ agentId: name(), pid: count, options: z.array(text(256)).max(64), envNames: z.array(text(256)).max(512) });
export type LaunchRequest = Of<typeof launchRequest>;

/** Name of the variable that holds the number of the descriptor of a launched agent's connection. */
export const SOCKET_FD = 'ARI_SOCKET_FD';

/** What `GET /v1/events` pushes: `event` is the type, `data` the body. */
export const agentEvent = z.discriminatedUnion('type', [
  z.strictObject({ type: z.literal('payment'), body: paymentView }),
  z.strictObject({ type: z.literal('status'), body: record({ tier: z.enum(TIERS), reason: text(512).nullable(), connected: z.boolean() }) }),
  z.strictObject({ type: z.literal('mandates'), body: record({ mandates: count }) }),
  z.strictObject({ type: z.literal('revoked'), body: record({ subject: text(64), state: text(32) }) }),
]);
export type AgentEvent = Of<typeof agentEvent>;

const STATUS_OF: Partial<Record<PaymentState, number>> = { settled: 200, denied: 403, expired: 403, failed: 402 };
/** HTTP status that answers `POST /v1/payments`: 200 settled, 403 denied or expired, 402 failed, 202 while the outcome is open. */
export const paymentStatus = (state: PaymentState): number => STATUS_OF[state] ?? 202;
