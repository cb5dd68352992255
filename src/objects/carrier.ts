/**
 * The fund carrier: a dedicated account with hard rules, never linked to the main account. All rules hold together; a missing rule is the strictest,
 * which is why each is either said or said to be nothing.
 */
import { z } from 'zod';
import type { Sha256 } from '../base/bytes.js';
import { type Of, b64u, count, hashOf, id, name, record, seconds, u64, url } from '../base/shape.js';
import { currency, minor } from '../money.js';
import { CARRIER_STATES, LEVELS, MANDATE_STATES, TIERS } from '../names.js';
import { signedKind } from './signed.js';
import { statusReference } from './status.js';

export const payeeRule = record({ id: name(256), origin: url.nullable(), scenario: name() });
export type PayeeRule = Of<typeof payeeRule>;

/** Amounts are minor units of the carrier's currency. */
export const carrierRules = record({
  salt: b64u(16),
  perPaymentMax: minor.default(0n),
  totalMax: minor.default(0n),
  /** `[]` says that there is no window; saying nothing leaves one that lets nothing through. */
  windows: z.array(record({ period: z.enum(['PT1H', 'P1D', 'P7D', 'P30D']), max: minor, count })).max(8).default([{ period: 'PT1H', max: 0n, count: 0 }]),
  scenarios: z.array(name()).max(256).default([]),
  payees: z.array(payeeRule).max(1024).default([]),
  notBefore: seconds.default(253_402_300_799),
  notAfter: seconds.default(0),
  /** `null` says at any hour; saying nothing is at none. */
  hours: record({ tz: z.string().max(64), from: z.string().regex(/^\d\d:\d\d$/), to: z.string().regex(/^\d\d:\d\d$/) }).nullable().default({ tz: 'UTC', from: '00:00', to: '00:00' }),
  levels: z.array(z.enum(LEVELS)).default([]),
  minTier: z.enum(TIERS).default('T4'),
  /** From this amount on the user confirms. 0: always. */
  confirmAbove: minor.default(0n),
  offline: record({ maxCount: count, maxTotal: minor }).nullable().default(null),
});
export type CarrierRules = Of<typeof carrierRules>;
/** A payee as the signed rules know it: by id and origin. */
export const listed = (rules: CarrierRules, payee: Pick<PayeeRule, 'id' | 'origin'>): PayeeRule | undefined => rules.payees.find(({ id: known, origin }) => known === payee.id && origin === payee.origin);
/** `rules_sha256`. */
export const rulesHash = (value: CarrierRules): Sha256 => hashOf(carrierRules, value);

export const carrier = record({
  iss: url,
  jti: id('crr'),
  sub: id('usr'),
  iat: seconds,
  nbf: seconds,
  exp: seconds,
  rev: count,
  currency,
  rules: carrierRules,
  agents: z.array(name()).max(64),
  state: z.enum(CARRIER_STATES),
  status: statusReference.optional(),
});
export type Carrier = Of<typeof carrier>;
export const CARRIER = signedKind('ari-carrier+jwt', 'carrier', carrier);
/** How many times a carrier may be tightened before the mandates that name its rules must be signed anew. */
export const REVISIONS_MAX = 32;

/** What a user asks of the carrier issuer, signed by the user's key: open a carrier, or revise its rules. */
export const carrierRequest = record({ jti: id('crr'), sub: id('usr'), iat: seconds, exp: seconds, rev: count, currency, rules: carrierRules, agents: z.array(name()).max(64) });
export type CarrierRequest = Of<typeof carrierRequest>;
export const CARRIER_REQUEST = signedKind('ari-carrier-request+jwt', 'user', carrierRequest);

/**
 * An instruction of the user about what is hers: freeze, thaw or revoke a carrier, a mandate or a device; dispute a payment; add or revoke one of her own
 * keys, named by its `kid`; add another user to her device.
 */
export const userOrder = record({ jti: z.string().min(1).max(64), sub: id('usr'), iat: seconds, exp: seconds, action: z.enum(['freeze', 'thaw', 'revoke', 'dispute', 'add']), subject: z.string().regex(/^(?:(?:crr|mnd|dev|pay)_[0-9A-Z]{26}|k-[A-Za-z0-9_-]{43})$/) });
export type UserOrder = Of<typeof userOrder>;
export const USER_ORDER = signedKind('ari-order+jwt', 'user', userOrder);

/** Where an offline allowance stands. `ctr_end`: the counter with which the device came back; what has a higher one was not made offline. */
export const allowanceState = record({ allowanceId: id('alw'), count, spent: minor, ctrLast: u64, ctrEnd: u64.nullable() });
export type AllowanceState = Of<typeof allowanceState>;

/** The moving numbers a decision was made on. Hashed into the decision, so that an auditor can replay it. */
export const authorityState = record({
  carrier: record({ carrierId: id('crr'), rev: count, state: z.enum(CARRIER_STATES), stateSeq: count, totalMax: minor, available: minor, reserved: minor, spent: minor }).nullable(),
  /** `manifestRevoked`: the agent version that it names was revoked, and the mandate with it. */
  mandate: record({ mandateId: id('mnd'), state: z.enum(MANDATE_STATES), uses: count, manifestRevoked: z.literal(true).optional() }).nullable(),
  /** What the windows of the carrier already hold, in the order of its rules. */
  windows: z.array(record({ spent: minor, count })),
  /** The payee's scenario as the directory of the carrier issuer has it; null when nobody vouches. */
  scenario: name().nullable(),
  /** Of a payment made offline, what its allowance had seen before it: how many payments, for how much, the counter of the last, and the counter that ended it. */
  allowance: allowanceState.optional(),
});
export type AuthorityState = Of<typeof authorityState>;
