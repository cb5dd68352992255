/** /v1/commerce: the directory of payees, in which the carrier issuer says what a payee sells. */
import { z } from 'zod';
import { fault } from '../../src/base/fault.js';
import { name, record, token, url } from '../../src/base/shape.js';
import { PAYEE_ENTRY } from '../../src/objects/payee.js';
import { seal } from '../../src/objects/signed.js';
import { route, type Route } from './route.js';

const account = z.string().min(1).max(128).regex(/^[A-Za-z0-9][A-Za-z0-9._:/-]*$/, 'must be a plain account name');

export const COMMERCE: readonly Route[] = [
  route({
    method: 'POST', path: '/v1/commerce/payees', authority: 'admin', summary: 'Enters or changes a payee: its origin, the scenario it is vouched for, and the account that receives its money.', status: 201,
    body: record({ payeeId: name(256), origin: url.nullable(), scenario: name(), settleAccount: account }), answer: record({ payeeId: name(256) }),
    async handle(v, { body: { payeeId, origin, scenario, settleAccount } }) {
      await v.store.putPayee({ payeeId, origin: origin ?? '', scenario, settleAccount });
      return { payeeId };
    },
  }),
  route({
    method: 'GET', path: '/v1/commerce/payees/:payeeId', authority: 'public', summary: 'What the directory says of a payee; `entry` is the same, signed by the carrier issuer.',
    query: record({ origin: url.optional() }), answer: record({ payeeId: name(256), scenario: name(), entry: token() }),
    async handle(v, { params: { payeeId = '' }, query: { origin = null } }) {
      const found = await v.store.payee(payeeId, origin);
      if (!found) throw fault('intake.not_found', { what: `payee ${payeeId}` });
      const { scenario } = found;
      return { payeeId, scenario, entry: seal(PAYEE_ENTRY, { iss: v.config.issuers.carrier, iat: Math.floor(v.now() / 1000), payeeId, origin, scenario }, v.keys.carrier) };
    },
  }),
];
