/** /v1/payment: payments as decided, and the consent that some of them wait for. */
import { z } from 'zod';
import { fault } from '../../src/base/fault.js';
import { splitJws } from '../../src/base/jws.js';
import { count, id, millis, parse, record, sha256Text, text, token } from '../../src/base/shape.js';
import { type Code, isCode } from '../../src/codes.js';
import { minor, positive } from '../../src/money.js';
import { DECISIONS, PAYMENT_STATES } from '../../src/names.js';
import { userAssertion } from '../../src/objects/assertion.js';
import { confirmation, decision } from '../../src/objects/decision.js';
import { findingShape } from '../../src/objects/ear.js';
import { intent } from '../../src/objects/intent.js';
import type { Verifier } from '../context.js';
import { DISPUTE_STATES, disputeOf, rejectDispute } from '../disputes.js';
import { refund } from '../refunds.js';
import type { PaymentRow, RefundRow } from '../store/verbs.js';
import { obey } from '../orders.js';
import { submitAssertion, submitConfirmation } from '../submit.js';
import { ofPayment } from './owners.js';
import { route, type Route } from './route.js';

const code = z.string().refine(isCode).nullable() as z.ZodType<Code | null, string | null>;
/** `findings`: what the decision says was found, in words; a changed file is named there. */
const attemptView = record({ n: count, decision: z.enum(DECISIONS), decidedMs: millis, findings: z.array(findingShape), token: token() });
const refundView = record({ refundId: id('evt'), amount: minor, state: z.enum(['started', 'settled', 'failed']), refund: token().nullable() });
const refundOf = ({ refundId, amount, state, receipt }: RefundRow) => ({ refundId, amount, state, refund: receipt });
const paymentView = record({ paymentId: id('pay'), deviceId: id('dev'), state: z.enum(PAYMENT_STATES), code, createdMs: millis, paymentSha256: sha256Text, intent, attempts: z.array(attemptView), receipt: token().nullable(), captured: minor.nullable(), refunds: z.array(refundView), dispute: z.enum(DISPUTE_STATES) });

async function viewOf(v: Verifier, { paymentId, deviceId, state, code: why, createdMs, paymentSha256, intent: text }: PaymentRow) {
  const [attempts, receipt, captured, refunds, dispute] = await Promise.all([v.store.attempts(paymentId), v.store.receipt(paymentId), v.store.captured(paymentId), v.store.refunds(paymentId), disputeOf(v, paymentSha256)]);
  return {
    paymentId, deviceId, state, code: why, createdMs, paymentSha256, intent: parse(intent, text), receipt, captured: captured?.amount ?? null, refunds: refunds.map(refundOf), dispute: dispute.state,
    attempts: attempts.map(({ n, decisionKind, decidedMs, decision: made }) => ({ n, decision: decisionKind, decidedMs, findings: parse(decision, splitJws(made).payload, 'decision').findings, token: made })),
  };
}

/** Payments of one answer; a user who has more waiting sees the newest. */
const LIST_MAX = 100;

export const PAYMENT: readonly Route[] = [
  route({
    method: 'GET', path: '/v1/payment/payments', authority: 'user', of: (_, { query, user }) => [query.userId ?? user ?? ''], summary: 'The payments of a user, newest first; for instance those that wait for her confirmation.',
    query: record({ userId: id('usr').optional(), state: z.enum(PAYMENT_STATES).optional() }), answer: record({ payments: z.array(paymentView) }),
    async handle(v, { query: { userId: named, state }, user }) {
      const userId = named ?? user ?? undefined;
      const rows = await v.store.paymentsOf({ limit: LIST_MAX, ...(userId === undefined ? {} : { userId }), ...(state === undefined ? {} : { state }) });
      return { payments: await Promise.all(rows.map((row) => viewOf(v, row))) };
    },
  }),
  route({
    method: 'GET', path: '/v1/payment/payments/:paymentId', authority: 'user', of: ofPayment, summary: 'A payment with its attempts.', answer: paymentView,
    async handle(v, { params: { paymentId = '' } }) {
      const row = await v.store.payment(paymentId);
      if (!row) throw fault('intake.not_found', { what: `payment ${paymentId}` });
      return viewOf(v, row);
    },
  }),
  route({
    method: 'POST', path: '/v1/payment/payments/:paymentId/confirmations', authority: 'signed', summary: 'The consent of the user to exactly this payment; the device then makes a new attempt.', status: 201,
    body: record({ token: token() }), answer: record({ confirmationId: id('cnf') }),
    handle: async (v, { params: { paymentId = '' }, body }) => ({ confirmationId: await submitConfirmation(v, paymentId, body.token) }),
  }),
  route({
    method: 'POST', path: '/v1/payment/payments/:paymentId/assertions', authority: 'signed', summary: 'The same consent with a passkey: the terms, and its assertion over SHA-256("ari-consent-1" 0x00 JCS(terms)).', status: 201,
    body: record({ terms: confirmation, assertion: userAssertion }), answer: record({ confirmationId: id('cnf') }),
    handle: async (v, { params: { paymentId = '' }, body }) => ({ confirmationId: await submitAssertion(v, paymentId, body.terms, body.assertion) }),
  }),
  route({
    method: 'POST', path: '/v1/payment/redemptions', authority: 'signed', summary: 'Captures a payment with its execution token and the closed mandate that the token is bound to: the exact amount, or for bound max any amount up to it; once.',
    body: record({ token: token(), amount: minor, mandate: token(), closedMandate: token() }), answer: record({ paymentId: id('pay'), state: z.enum(PAYMENT_STATES), receipt: token().nullable() }),
    async handle(v, { body }) {
      const { paymentId, receipt } = await v.settlement.capture(body.token, body.amount, body);
      return { paymentId, receipt, state: (await v.store.payment(paymentId))?.state ?? 'outcome_unknown' };
    },
  }),
  route({
    method: 'POST', path: '/v1/payment/payments/:paymentId/refunds', authority: 'admin', summary: 'Gives back a part of what was captured, or all of it, to the carrier. The same refund_id gives back once.', status: 201,
    body: record({ refundId: id('evt'), amount: positive }), answer: refundView,
    handle: async (v, { params: { paymentId = '' }, body }) => refundOf(await refund(v, { paymentId, ...body })),
  }),
  route({
    method: 'POST', path: '/v1/payment/disputes', authority: 'signed', summary: 'Records that the user disputes a settled payment.', status: 201,
    body: record({ order: token() }), answer: record({ subject: id('pay'), state: text(32) }),
    handle: (v, { body: { order } }) => obey(v, order),
  }),
  route({
    method: 'POST', path: '/v1/payment/payments/:paymentId/dispute/rejection', authority: 'admin', summary: 'Ends the dispute of a payment with nothing given back. A refund ends it too.', status: 201,
    body: record({}), answer: record({ paymentId: id('pay'), dispute: z.enum(DISPUTE_STATES) }),
    async handle(v, { params: { paymentId = '' } }) {
      await rejectDispute(v, paymentId);
      return { paymentId, dispute: 'rejected' as const };
    },
  }),
];
