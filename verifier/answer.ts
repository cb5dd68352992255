/** What a device is told about a payment: from the decision just made, or from what the store kept of it. Both ways give the same words. */
import { parse } from '../src/base/shape.js';
import type { LinkBody } from '../src/link.js';
import { authorityState } from '../src/objects/carrier.js';
import { DECISION } from '../src/objects/decision.js';
import { open, tokenHash } from '../src/objects/signed.js';
import type { Verifier } from './context.js';
import { decisionEvent } from './events.js';
import type { Settled } from './settle.js';
import type { AttemptRow, PaymentRow } from './store/verbs.js';
import { keyRecord } from './userkeys.js';

/** A decision that is stored; its leaf is queued. */
export interface Answer { readonly permitted: boolean; readonly eventId: string; readonly userKids: readonly string[]; readonly body: Omit<LinkBody<'decision'>, 'leaf' | 'proof' | 'userKeys'> }

export async function storedAnswer(v: Verifier, payment: PaymentRow, attempt: AttemptRow): Promise<Answer> {
  const { value } = open(DECISION, attempt.decision, v.trust.keys);
  const authority = parse(authorityState, attempt.stateJson);
  const [carrier, confirmation, policy] = await Promise.all([
    authority.carrier && v.store.carrierRev(authority.carrier.carrierId, authority.carrier.rev), v.store.confirmation(payment.paymentId), v.store.policy(value.policy.sha256),
  ]);
  const revisions = authority.carrier ? await revisionsOf(v, authority.carrier, value.inputs.revisionsSha256) : [];
  const consent = named(confirmation?.token ?? null, value.inputs.confirmationSha256);
  return {
    permitted: attempt.decisionKind === 'permit',
    eventId: decisionEvent(attempt.decision, attempt.decidedMs),
    userKids: value.inputs.userKids,
    body: {
      paymentId: payment.paymentId, attempt: attempt.n, state: payment.state, decision: attempt.decision, ear: attempt.ear,
      carrier: named(carrier, value.inputs.carrierSha256), revisions, confirmation: consent, userAssertion: consent === null ? null : (confirmation?.assertion ?? null),
      policy: policy ?? v.trust.policy().token, authority,
    },
  };
}

/** The revisions that a decision names: those right before the one that it was made on. */
async function revisionsOf(v: Verifier, { carrierId, rev }: { carrierId: string; rev: number }, sha256s: readonly string[]): Promise<string[]> {
  const tokens = await Promise.all(sha256s.map((sha256, i) => v.store.carrierRev(carrierId, rev - sha256s.length + i).then((token) => named(token, sha256))));
  return tokens.filter((token) => token !== null);
}

/** A token, if it is the one that the decision was made on. */
const named = (token: string | null, sha256: string | null): string | null => (token !== null && tokenHash(token) === sha256 ? token : null);

/** The decision with its proof: waits until the leaf is deposited. @throws Fault deposit.unavailable */
export async function decisionBody(v: Verifier, { eventId, userKids, body }: Answer): Promise<LinkBody<'decision'>> {
  const [{ stored, proof }, userKeys] = await Promise.all([v.log.deposit(eventId), Promise.all(userKids.map((kid) => keyRecord(v, kid)))]);
  return { ...body, userKeys, leaf: stored.leaf, proof };
}

/** How a permitted payment ended, or that its payee has to capture it. */
export async function executionBody(v: Verifier, paymentId: string, { execution, receipt, deposited }: Settled): Promise<LinkBody<'execution'>> {
  const state = (await v.store.payment(paymentId))?.state ?? 'outcome_unknown';
  return { paymentId, state, execution, receipt, leaf: deposited?.stored.leaf ?? null, proof: deposited?.proof ?? null };
}

/** A permitted payment whose end is not known yet: never to be paid again, to be asked for. */
export async function openBody(v: Verifier, paymentId: string): Promise<LinkBody<'execution'>> {
  const [payment, token] = await Promise.all([v.store.payment(paymentId), v.store.executionToken(paymentId)]);
  const ended = payment?.state === 'expired' || payment?.state === 'failed';
  return { paymentId, state: ended ? payment.state : 'outcome_unknown', execution: token?.token ?? null, receipt: null, leaf: null, proof: null };
}
