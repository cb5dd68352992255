/** /v1/payment: what a user watches - events as they are deposited, and the statement of a carrier. */
import { z } from 'zod';
import { fault } from '../../src/base/fault.js';
import { canonical } from '../../src/base/json.js';
import { count, encode, id, millis, record, text, token } from '../../src/base/shape.js';
import { type Code, isCode } from '../../src/codes.js';
import { currency, minor } from '../../src/money.js';
import { CARRIER_STATES, LEAF_KINDS } from '../../src/names.js';
import { SESSION_LIFE_S } from '../../src/objects/request.js';
import type { Verifier } from '../context.js';
import { eventsOf, type Listening } from '../watch.js';
import { ofCarrier, userInQuery } from './owners.js';
import { route, type Route } from './route.js';

const code = z.string().refine(isCode).nullable() as z.ZodType<Code | null, string | null>;
const event = record({ index: count, eventId: text(64), kind: z.enum(LEAF_KINDS), chain: text(64), seq: count, tsMs: millis, code, paymentId: id('pay').nullable() });
const place = z.string().regex(/^(?:0|[1-9][0-9]{0,15})$/, 'must be a place in the log').transform(Number);

/** Server-sent events (WHATWG HTML 9.2): `id` is the place in the log, from which a listener goes on after a break. */
async function* stream(v: Verifier, userId: string, part: Listening): AsyncGenerator<string> {
  yield ': events are the leaves of your carriers and devices\n\n';
  for await (const one of eventsOf(v, userId, part)) yield one === null ? ': still here\n\n' : `id: ${one.index}\nevent: ${one.kind}\ndata: ${canonical(encode(event, one))}\n\n`;
}

const leafView = record({ index: count, eventId: text(64), leaf: z.string() });
/** `receipts`: of payments, and of money that came back. `proof` is that of the last leaf. */
const statementView = record({
  carrierId: id('crr'), currency, state: z.enum(CARRIER_STATES), totalMax: minor, reserved: minor, spent: minor, available: minor,
  leaves: z.array(leafView), receipts: z.array(token()), proof: z.string().nullable(),
});

async function statementOf(v: Verifier, carrierId: string) {
  const carrier = await v.store.carrier(carrierId);
  if (!carrier) throw fault('intake.not_found', { what: `carrier ${carrierId}` });
  const leaves = await v.store.chain(carrierId);
  const last = leaves.at(-1);
  const { currency: held, state, totalMax, reserved, spent, available } = carrier;
  return {
    carrierId, currency: held, state, totalMax, reserved, spent, available, receipts: await v.store.receiptsOf(carrierId),
    leaves: leaves.map(({ idx, eventId, leaf }) => ({ index: idx, eventId, leaf })), proof: last ? await v.log.proof(last.idx) : null,
  };
}

export const WATCH: readonly Route[] = [
  route({
    method: 'GET', path: '/v1/payment/events', authority: 'user', of: userInQuery, summary: 'The events of a user as server-sent events: every leaf of her carriers and devices, from `after` on; without it from now on. A user proves it anew every 15 minutes.',
    query: record({ userId: id('usr'), after: place.optional() }), answer: 'text/event-stream',
    async handle(v, { query: { userId, after }, user, gone }) {
      const untilMs = user === null ? Infinity : v.now() + SESSION_LIFE_S * 1000; // a key that ended since would listen for ever
      const from = after === undefined ? ((await v.store.checkpoint())?.size ?? 0) : after + 1;
      v.pace.assertFewStreams(userId);
      return v.pace.counted(userId, stream(v, userId, { from, untilMs, gone }));
    },
  }),
  route({
    method: 'GET', path: '/v1/payment/carriers/:carrierId/statement', authority: 'user', of: ofCarrier, summary: 'The chain of a carrier with its receipts and totals: enough to compute the totals anew and to see a gap.', answer: statementView,
    handle: (v, { params: { carrierId = '' } }) => statementOf(v, carrierId),
  }),
];
