/** /v1/delegation: users, their keys, carriers, mandates, and their end. */
import { z } from 'zod';
import { fault } from '../../src/base/fault.js';
import { parseJson } from '../../src/base/json.js';
import { splitJws } from '../../src/base/jws.js';
import { decode, id, millis, name, publicJwk, record, sha256Text, text, token } from '../../src/base/shape.js';
import { currency, minor, positive } from '../../src/money.js';
import { CARRIER_STATES, LEVELS, MANDATE_STATES } from '../../src/names.js';
import { carrierRules } from '../../src/objects/carrier.js';
import { issueCarrier, tightenCarrier } from '../carriers.js';
import { freshId, type Verifier } from '../context.js';
import { obey } from '../orders.js';
import { statusReference } from '../../src/objects/status.js';
import { statusOf } from '../statuses.js';
import type { CarrierRow, MandateRow } from '../store/verbs.js';
import { submitMandate } from '../submit.js';
import { addKey, addKeyByUser, keyRecord, revokeKeyByOperator } from '../userkeys.js';
import { anyUser, ofCarrier, ofDevice, ofDeviceInQuery, ofMandate, userInPath, userInQuery } from './owners.js';
import { route, type Route } from './route.js';

const carrierView = record({ carrierId: id('crr'), userId: id('usr'), currency, state: z.enum(CARRIER_STATES), rev: z.int(), totalMax: minor, reserved: minor, spent: minor, available: minor, carrier: token() });
const viewOf = ({ carrierId, userId, currency: held, state, rev, totalMax, reserved, spent, available, token: carrier }: CarrierRow) => ({ carrierId, userId, currency: held, state, rev, totalMax, reserved, spent, available, carrier });

const mandateView = record({ mandateId: id('mnd'), userId: id('usr'), carrierId: id('crr'), deviceId: id('dev'), agentId: name(), level: z.enum(LEVELS), state: z.enum(MANDATE_STATES), uses: z.int(), manifestRevoked: z.boolean(), mandate: token(), userKey: token() });
/** `manifest_revoked`: the agent version that it names was revoked, and the mandate with it. `user_key`: whose key signed it, with which it can be read. */
const mandateOf = async (v: Verifier, { mandateId, userId, carrierId, deviceId, agentId, level, state, uses, manifestRevoked, token: mandate }: MandateRow) =>
  ({ mandateId, userId, carrierId, deviceId, agentId, level, state, uses, manifestRevoked, mandate, userKey: await keyRecord(v, splitJws(mandate.split('~')[0] ?? '').kid) });

const keyView = record({ kid: text(128), fromMs: millis });
const agentView = record({ agentId: name(), manifestSha256: sha256Text, version: name(64), jwk: publicJwk });

export const DELEGATION: readonly Route[] = [
  route({
    method: 'POST', path: '/v1/delegation/users', authority: 'admin', summary: 'Registers a user.', status: 201,
    body: record({ kind: z.enum(['person', 'organisation']) }), answer: record({ userId: id('usr') }),
    async handle(v, { body: { kind } }) {
      const userId = freshId(v, 'usr');
      await v.store.addUser({ userId, kind, nowMs: v.now() });
      return { userId };
    },
  }),
  route({
    method: 'POST', path: '/v1/delegation/users/:userId/keys', authority: 'admin', summary: 'Registers a public key of a user at the operator\'s word: the first speaks at once, a further one from from_ms on, a day later. What it signs names it by the kid in the answer.', status: 201,
    body: record({ jwk: publicJwk, passkey: z.boolean().default(false) }), answer: keyView,
    handle: (v, { params: { userId = '' }, body }) => addKey(v, userId, body),
  }),
  route({
    method: 'POST', path: '/v1/delegation/keys', authority: 'signed', summary: 'Adds a key of a user at the word of another key of hers: an order that adds its kid.', status: 201,
    body: record({ order: token(), jwk: publicJwk, passkey: z.boolean().default(false) }), answer: keyView,
    handle: (v, { body }) => addKeyByUser(v, body.order, body),
  }),
  route({
    method: 'GET', path: '/v1/delegation/users/:userId/keys', authority: 'user', of: userInPath, summary: 'All keys that a user ever had.',
    answer: record({ keys: z.array(record({ kid: text(128), fromMs: millis, revokedMs: millis.nullable() })) }),
    handle: async (v, { params: { userId = '' } }) => ({ keys: (await v.store.userKeyHistory(userId)).map(({ keyId, fromMs, revokedMs }) => ({ kid: keyId, fromMs, revokedMs })) }),
  }),
  route({
    method: 'POST', path: '/v1/delegation/users/:userId/keys/:kid/revoke', authority: 'admin', summary: 'Revokes a key that its user has lost. Nothing that it signed is permitted after the answer.',
    body: record({}), answer: record({ kid: text(128) }),
    async handle(v, { params: { userId = '', kid = '' } }) {
      await revokeKeyByOperator(v, userId, kid);
      return { kid };
    },
  }),
  route({
    method: 'POST', path: '/v1/delegation/carriers', authority: 'signed', summary: 'Opens or revises a carrier, as its user asks in a signed carrier request.', status: 201,
    body: record({ request: token() }), answer: record({ carrier: token() }),
    handle: async (v, { body: { request } }) => ({ carrier: await issueCarrier(v, request) }),
  }),
  route({
    method: 'GET', path: '/v1/delegation/carriers/:carrierId', authority: 'user', of: ofCarrier, summary: 'A carrier as it stands.', answer: carrierView,
    async handle(v, { params: { carrierId = '' } }) {
      const row = await v.store.carrier(carrierId);
      if (!row) throw fault('intake.not_found', { what: `carrier ${carrierId}` });
      return viewOf(row);
    },
  }),
  route({
    method: 'GET', path: '/v1/delegation/carriers', authority: 'user', of: userInQuery, summary: 'The carriers of a user.',
    query: record({ userId: id('usr') }), answer: record({ carriers: z.array(carrierView) }),
    handle: async (v, { query: { userId } }) => ({ carriers: (await v.store.carriersOf(userId)).map(viewOf) }),
  }),
  route({
    method: 'POST', path: '/v1/delegation/carriers/:carrierId/fund', authority: 'admin', summary: 'Puts money into a carrier, in minor units. The same event_id moves money once.',
    body: record({ eventId: text(64), amount: positive }), answer: carrierView,
    async handle(v, { params: { carrierId = '' }, body: { eventId, amount } }) {
      await v.store.fundCarrier({ eventId, carrierId, amount, nowMs: v.now() });
      const row = await v.store.carrier(carrierId);
      if (!row) throw fault('intake.not_found', { what: `carrier ${carrierId}` });
      return viewOf(row);
    },
  }),
  route({
    method: 'POST', path: '/v1/delegation/carriers/:carrierId/rules', authority: 'admin', summary: 'Tightens the rules of a carrier without its user; a rule that would be looser is refused.', status: 201,
    body: record({ rules: carrierRules, agents: z.array(name()).max(64) }), answer: record({ carrier: token() }),
    handle: async (v, { params: { carrierId = '' }, body }) => ({ carrier: await tightenCarrier(v, carrierId, body) }),
  }),
  route({
    method: 'POST', path: '/v1/delegation/carriers/:carrierId/return', authority: 'user', of: ofCarrier, summary: 'Moves available money of a carrier back to the main account of its user. The same event_id moves money once.',
    body: record({ eventId: text(64), amount: positive }), answer: carrierView,
    async handle(v, { params: { carrierId = '' }, body: { eventId, amount } }) {
      await v.store.returnFunds({ eventId, carrierId, amount, nowMs: v.now() });
      const row = await v.store.carrier(carrierId);
      if (!row) throw fault('intake.not_found', { what: `carrier ${carrierId}` });
      return viewOf(row);
    },
  }),
  route({
    method: 'POST', path: '/v1/delegation/orders', authority: 'signed', summary: 'Freezes, thaws or revokes a carrier, mandate or device, as its user orders.',
    body: record({ order: token() }), answer: record({ subject: text(64), state: text(32) }),
    handle: (v, { body: { order } }) => obey(v, order),
  }),
  route({
    method: 'POST', path: '/v1/delegation/mandates', authority: 'signed', summary: 'Registers a mandate that a user signed, for one of her devices.', status: 201,
    body: record({ deviceId: id('dev'), mandate: token() }), answer: record({ mandateId: id('mnd') }),
    handle: async (v, { body: { deviceId, mandate } }) => ({ mandateId: await submitMandate(v, deviceId, mandate) }),
  }),
  route({
    method: 'POST', path: '/v1/delegation/mandates/:mandateId/status', authority: 'user', of: anyUser, summary: 'Where the bits of a mandate will be in the status list, to be written into it before it is signed.', status: 201,
    answer: statusReference,
    async handle(v, { params: { mandateId = '' } }) {
      if (!id('mnd').safeParse(mandateId).success) throw fault('intake.not_found', { what: `mandate ${mandateId}` });
      return statusOf(v, 'mandate', mandateId);
    },
  }),
  route({
    method: 'GET', path: '/v1/delegation/mandates/:mandateId', authority: 'user', of: ofMandate, summary: 'A mandate with its state and use.', answer: mandateView,
    async handle(v, { params: { mandateId = '' } }) {
      const row = await v.store.mandate(mandateId);
      if (!row) throw fault('intake.not_found', { what: `mandate ${mandateId}` });
      return mandateOf(v, row);
    },
  }),
  route({
    method: 'GET', path: '/v1/delegation/mandates', authority: 'user', of: ofDeviceInQuery, summary: 'The mandates of a device; for a user, her own.',
    query: record({ deviceId: id('dev') }), answer: record({ mandates: z.array(mandateView) }),
    async handle(v, { query: { deviceId }, user }) {
      const rows = (await v.store.mandatesOfDevice(deviceId)).filter(({ userId }) => user === null || userId === user);
      return { mandates: await Promise.all(rows.map((row) => mandateOf(v, row))) };
    },
  }),
  route({
    method: 'GET', path: '/v1/delegation/devices/:deviceId/agents', authority: 'user', of: ofDevice, summary: 'The agents of a device: what a mandate has to name.', answer: record({ agents: z.array(agentView) }),
    async handle(v, { params: { deviceId = '' } }) {
      const rows = await v.store.deviceAgents(deviceId);
      const agents = rows.map(async ({ agentId, manifestSha256, jwk }) => {
        const version = (await v.store.manifestStanding(manifestSha256))?.version ?? 'unknown';
        return { agentId, manifestSha256, version, jwk: decode(publicJwk, parseJson(jwk)) };
      });
      return { agents: await Promise.all(agents) };
    },
  }),
];
