/** /v1/trust: enrolment codes, devices, the policy in force. */
import { z } from 'zod';
import { fault } from '../../src/base/fault.js';
import { sha256, toB64u } from '../../src/base/bytes.js';
import { count, hex, id, millis, name, record, sha256Text, text, token, url } from '../../src/base/shape.js';
import { DEVICE_STATES, LOG_KINDS } from '../../src/names.js';
import { merchantEarOf } from '../merchant.js';
import { bindUser } from '../binding.js';
import type { Verifier } from '../context.js';
import { ofDevice, userInBody, userInQuery } from './owners.js';
import { userAssertion } from '../../src/objects/assertion.js';
import { sessionTerms } from '../../src/objects/request.js';
import { revokeByOperator, revokeByPublisher } from '../revokemanifest.js';
import { recordsOf } from '../records.js';
import { openSession } from '../sessions.js';
import { route, type Route } from './route.js';

/** Long enough to be typed on another machine the same day. */
const CODE_LIFE_MS = 86_400_000;

/** `user_id`: who enrolled it; another user of the device is not told. */
const deviceView = record({ deviceId: id('dev'), userId: id('usr').nullable(), state: z.enum(DEVICE_STATES), simulated: z.boolean(), akName: hex(34), record: token() });

async function deviceOf(v: Verifier, deviceId: string, user: string | null) {
  const device = await v.store.deviceById(deviceId);
  if (!device) throw fault('intake.not_found', { what: `device ${deviceId}` });
  return user === null || device.userId === user ? device : { ...device, userId: null };
}

/** Records of one answer. */
const RECORDS_MAX = 1_000;
const pageLimit = z.string().regex(/^(?:[1-9][0-9]{0,2}|1000)$/, 'must be a number from 1 to 1000').transform(Number);
const logPlace = z.string().regex(/^[A-Za-z0-9_-]{43}\.(?:0|[1-9][0-9]{0,14})$/, 'must be the place of a record').transform((place) => ({ epoch: place.slice(0, 43), n: Number(place.slice(44)) }));

export const TRUST: readonly Route[] = [
  route({
    method: 'POST', path: '/v1/trust/enrol-codes', authority: 'user', of: userInBody, summary: 'A one-time code that lets one device enrol for a user. With re_enrol it may also replace the key of a known device of that user.', status: 201,
    body: record({ userId: id('usr'), reEnrol: z.boolean().default(false) }), answer: record({ code: text(64), expiresMs: millis }),
    async handle(v, { body: { userId, reEnrol } }) {
      const code = toB64u(v.random(16));
      const expiresMs = v.now() + CODE_LIFE_MS;
      await v.store.addEnrolCode({ codeSha256: sha256(code), userId, expiresMs, reEnrol });
      return { code, expiresMs };
    },
  }),
  route({
    method: 'GET', path: '/v1/trust/devices/:deviceId', authority: 'user', of: ofDevice, summary: 'A device and its record.',
    answer: deviceView, handle: (v, { params: { deviceId = '' }, user }) => deviceOf(v, deviceId, user),
  }),
  route({
    method: 'GET', path: '/v1/trust/devices/:deviceId/records', authority: 'user', of: ofDevice,
    summary: "The measurement log of a device as far as it has proven it, over all boots since it enrolled, newest first: which agents ran on it, from when to when by its own clock, and what was not as published. `before` is the place (epoch.n) of the last record of the page before.",
    query: record({ limit: pageLimit.optional(), before: logPlace.optional() }),
    answer: record({ records: z.array(record({ epoch: sha256Text, resetCount: count, restartCount: count, n: count, kind: z.enum(LOG_KINDS), data: z.record(z.string(), z.json()) })) }),
    handle: async (v, { params: { deviceId = '' }, query: { limit = RECORDS_MAX, before = null } }) => ({ records: await recordsOf(v, deviceId, { limit, before }) }),
  }),
  route({
    method: 'GET', path: '/v1/trust/devices', authority: 'user', of: userInQuery, summary: 'The devices that a user enrolled or was bound to.',
    query: record({ userId: id('usr') }), answer: record({ devices: z.array(deviceView) }),
    handle: async (v, { query: { userId }, user }) => ({ devices: await Promise.all((await v.store.devicesOf(userId)).map((deviceId) => deviceOf(v, deviceId, user))) }),
  }),
  route({
    method: 'POST', path: '/v1/trust/devices/:deviceId/users', authority: 'signed', summary: 'Binds another user to a device: by a one-time code of hers, and the order of the user who enrolled it.', status: 201,
    body: record({ code: text(64), order: token() }), answer: record({ userId: id('usr') }),
    handle: async (v, { params: { deviceId = '' }, body: { code, order } }) => ({ userId: await bindUser(v, deviceId, code, order) }),
  }),
  route({
    method: 'POST', path: '/v1/trust/sessions', authority: 'signed', status: 201,
    summary: 'Opens a session of a user with a passkey: its assertion over SHA-256("ari-session-1" 0x00 JCS(terms)). The answer goes into the Ari-Session header beside each proof that is made with the key of the terms.',
    body: record({ terms: sessionTerms, assertion: userAssertion }), answer: record({ session: token() }),
    handle: async (v, { body: { terms, assertion } }) => ({ session: await openSession(v, terms, assertion) }),
  }),
  route({
    method: 'GET', path: '/v1/trust/policy', authority: 'public', summary: 'The policy in force, signed by the operator.', answer: record({ policy: token() }),
    handle: (v) => Promise.resolve({ policy: v.trust.policy().token }),
  }),
  route({
    method: 'POST', path: '/v1/trust/policy', authority: 'admin', summary: 'Puts a newer version of the policy in force.', body: record({ policy: token() }), answer: record({ policy: token() }),
    async handle(v, { body: { policy } }) {
      await v.trust.enforce(policy);
      v.outbox.enforced();
      return { policy };
    },
  }),
  route({
    method: 'GET', path: '/v1/trust/manifests/:manifestSha256', authority: 'public', summary: 'An agent version that devices brought, and whether it was revoked.',
    answer: record({ agentId: name(), version: name(64), revokedMs: millis.nullable() }),
    async handle(v, { params: { manifestSha256 = '' } }) {
      const standing = await v.store.manifestStanding(manifestSha256);
      if (standing === null) throw fault('intake.not_found', { what: `manifest ${manifestSha256}` });
      return standing;
    },
  }),
  route({
    method: 'POST', path: '/v1/trust/manifests/revoke', authority: 'signed', summary: 'Revokes an agent version, by an order of its publisher (ari-manifest-order+jwt). Nothing is permitted by it after the answer.',
    body: record({ order: token() }), answer: record({ manifestSha256: sha256Text }),
    handle: async (v, { body: { order } }) => ({ manifestSha256: await revokeByPublisher(v, order) }),
  }),
  route({
    method: 'POST', path: '/v1/trust/manifests/:manifestSha256/revoke', authority: 'admin', summary: 'The same at the word of the operator.', body: record({}), answer: record({ manifestSha256: sha256Text }),
    async handle(v, { params: { manifestSha256 = '' } }) {
      await revokeByOperator(v, manifestSha256);
      return { manifestSha256 };
    },
  }),
  route({
    method: 'GET', path: '/v1/trust/ear/:paymentId', authority: 'public',
    summary: 'The attestation result of a permitted payment, cut for its payee: status, tier, agent and binding. aud is the origin that is paid, closed_sha256 the hash of the closed mandate that it was shown. At most 60 s after the appraisal.',
    query: record({ aud: url, closedSha256: sha256Text }), answer: record({ ear: token() }),
    handle: async (v, { params: { paymentId = '' }, query }) => ({ ear: await merchantEarOf(v, { paymentId, ...query }) }),
  }),
];
