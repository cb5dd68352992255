/**
 * One payment, once and forward: the table of the design (section 4) as a program. The device refuses only what it cannot put forward; everything else
 * is decided, and deposited, by the verifier. A stage takes what the stage before it gave; nothing is parsed twice.
 */
import { type Sha256 } from '../../src/base/bytes.js';
import { type Fault, asFault, fault } from '../../src/base/fault.js';
import { newId } from '../../src/base/id.js';
import { thumbprint } from '../../src/base/jws.js';
import { precheck } from '../../src/law/index.js';
import type { LinkBody } from '../../src/link.js';
import type { AgentClaims } from '../../src/objects/claims.js';
import { type Decision } from '../../src/objects/decision.js';
import { type PaymentRequest, paymentHash } from '../../src/objects/intent.js';
import type { PaymentEvidence } from '../../src/objects/evidence.js';
import type { Verified } from '../../src/objects/signed.js';
import { closeMandate, closedHash, mandateHash } from '../../src/sdjwt/index.js';
import type { HeldPlatform, Session } from '../link/session.js';
import type { Agent, PayeeOrder, Peer } from '../ports.js';
import type { Prover } from '../tpm/types.js';
import { type Book, isWaiting, type Payment } from './book.js';
import type { Offline } from './offline.js';
import { closedPaymentOf, intentOf, orderedIntentOf, requestHash } from './intent.js';
import type { Held, Wallet } from './wallet.js';

/** How long an agent waits for the money after the permit, ms. After it the outcome is open, never repeated. */
const SETTLE_MS = 20_000;

/** `order`: of another payment protocol, in its payee's words; `request` is its native form. */
export interface Asked { peer: Peer; agent: Agent; request: PaymentRequest; order?: PayeeOrder; idempotencyKey: string }

export interface Ports {
  book: Book;
  wallet: Wallet;
  session: Session;
  prover: Prover;
  offline: Offline;
  /** Measures the running agent, and logs a start or drift. */
  measure(peer: Peer, agent: Agent): Promise<AgentClaims>;
  openDecision(token: string): Verified<Decision>;
  nowMs(): number;
  random(bytes: number): Buffer;
}

/** @throws Fault for what could not be put forward; a decision, also a denial, is the payment's state */
export const pay = (asked: Asked, on: Ports): Promise<Payment> => on.book.alone(asked.agent.id, asked.idempotencyKey, () => payAlone(asked, on));

async function payAlone(asked: Asked, on: Ports): Promise<Payment> {
  const allowed = on.session.isDown && !asked.order ? on.offline.allowances.choose(asked.agent, asked.request, seconds(on)) : null;
  const held = allowed ?? on.wallet.choose(asked.agent, asked.request, seconds(on));
  if (!held) on.session.standing(); // which mandates there are is the verifier's to say: offline, nobody knows
  const payment = await take(asked, held, on);                                       // 1 ask
  if (isUntold(payment) && !on.session.isDown) {                                     // who asks again hears what became of it
    await resume(payment, on);
    if (payment.decision === 'permit') await on.book.settled(payment, SETTLE_MS);
  }
  if (!mayAttempt(payment)) return payment;
  if (!held) return refuse(payment, fault('mandate.unknown'), on);                   // 3 no mandate at all
  try {
    return await (allowed ? on.offline.pay(payment, allowed, asked) : attempt(payment, held, asked, on));
  } catch (error) {
    return leave(payment, asFault(error), on);
  }
}

async function attempt(payment: Payment, held: Held, { peer, agent }: Asked, on: Ports): Promise<Payment> {
  const lap = stopwatch(payment);
  peer.stillThere();                                                                 // 2 who
  const findings = precheck({ intent: payment.intent, mandate: held, carrier: held.carrier, nowMs: on.nowMs() }); // 3 pre-check
  const nonce = await lap('challenge', () => on.session.paymentNonce());                   // 4 challenge
  const agentClaims = await lap('measure', () => on.measure(peer, agent));                 // 5 measure
  peer.stillThere();                                                                 // 6 still there?
  const platform = await lap('platform', () => on.session.freshPlatform());
  const { answer } = await on.session.signAndSend(async () => {
    const proof = await lap('sign', () => bind({ payment, held, agent, agentClaims, nonce, platform }, on)); // 7 close, bind, sign
    await lap('journal', () => on.book.write(payment, { state: 'proving', attempt: payment.attempt + 1, tier: on.prover.tier, proof, ruling: null }));
    const { mandate, closedMandate, evidence } = proof;
    return { paymentId: payment.paymentId, attempt: payment.attempt, intent: payment.intent, mandate, closedMandate, evidence, findings }; // 8 send
  });
  const decided = await lap('decide', () => answer);                                       // 9-12 are the verifier's
  if (decided.type !== 'decision') throw fault('link.protocol', { what: `${decided.type} where a decision must be` });
  const { body } = decided;
  await lap('rule', () => ruled(payment, body, on));
  if (payment.decision === 'permit') await lap('settle', () => on.book.settled(payment, SETTLE_MS)); // 13 settle, 14 deposit
  peer.stillThere();                                                                 // 15 answer
  return payment;
}

/** The payment of this key: the one known, or a new one, in the journal before anything else happens. */
async function take({ agent, request, order, idempotencyKey }: Asked, held: Held | null, on: Ports): Promise<Payment> {
  const requestSha256 = order?.requestSha256 ?? requestHash(request);
  const known = on.book.find(agent.id, idempotencyKey, requestSha256);
  if (known && order && mayAttempt(known) && known.intent.order.termsSha256 !== order.termsSha256) throw fault('settle.amount_changed');
  if (known) return known;
  if (order && !order.isReady) throw fault('terms.not_ready');
  const nowMs = on.nowMs();
  const [carrierId, salt] = [held?.carrier.value.jti ?? null, on.random(16)];
  return on.book.open({
    paymentId: newId('pay', nowMs, on.random(10)), agentId: agent.id, manifestSha256: agent.manifest.sha256, requestSha256,
    intent: order ? orderedIntentOf(order, carrierId, idempotencyKey, seconds(on), salt) : intentOf(request, carrierId, idempotencyKey, seconds(on), salt),
    createdMs: nowMs, state: 'received', decision: null, code: null, message: null, attempt: 0, confirmed: false, tier: null, ms: {}, proof: null, ruling: null, result: null,
  });
}

/** The verifier knows more than was heard from it: whatever lay between decision and settlement, it may have told its end while nobody could hear it. */
const isUntold = (p: Payment): boolean => p.state === 'outcome_unknown' || (p.state === 'permitted' && p.result === null && !isWaiting(p));

/** A new attempt is made for a new payment, a confirmed one, and one that never reached the verifier. */
const mayAttempt = (p: Payment): boolean => p.state === 'received' || (p.state === 'confirm_required' && p.confirmed);

interface ToBind { payment: Payment; held: Held; agent: Agent; agentClaims: AgentClaims; nonce: Sha256; platform: HeldPlatform }

/** K_a closes the mandate over the nonce; the TPM signs the binding that holds its hash. */
async function bind({ payment, held, agent, agentClaims, nonce, platform }: ToBind, on: Ports): Promise<NonNullable<Payment['proof']>> {
  const { aud, logFrom } = on.session.standing();
  const key = await on.prover.agentKey(agent.id);
  const paymentSha256 = paymentHash(payment.intent);
  const closed = closedPaymentOf(payment.intent, held.carrier.value.jti, paymentSha256, seconds(on));
  const closedMandate = closeMandate({ mandateToken: held.token, closed, aud, nonce, iat: seconds(on) }, key, on.random(16));
  const evidence: PaymentEvidence = await on.prover.prove({
    nonce, aud, paymentSha256, mandateSha256: mandateHash(held.token), closedSha256: closedHash(closedMandate), agent: agentClaims,
    jkt: thumbprint(key.jwk), platformSha256: platform.sha256, logFrom,
  });
  if (on.prover.akName === null) throw fault('link.stale');
  return { mandate: held.token, closedMandate, evidence, platform: platform.evidence, ...(platform.listBefore === null ? {} : { list: platform.listBefore }), log: on.prover.log(0).entries.slice(0, evidence.log.from), akName: on.prover.akName };
}

/**
 * Takes the verifier's decision into the book. Its signature is checked here: an agent is told nothing that the verifier did not sign.
 * The settlement may have come in the same breath and stand in the book already: a decision never takes it back. Nor does it tell how a permitted payment
 * ended, though the verifier may know: that is told with the receipt, and an agent never sees one without the other.
 */
export async function ruled(payment: Payment, body: LinkBody<'decision'>, on: Ports): Promise<void> {
  if (payment.decision === 'permit') return;
  const { value } = on.openDecision(body.decision);
  if (value.paymentId !== payment.paymentId || value.inputs.paymentSha256 !== paymentHash(payment.intent)) throw fault('link.protocol', { what: 'a decision about another payment' });
  if (payment.proof && value.inputs.earSha256 !== null) on.session.logAccepted(payment.proof.evidence.log.epoch, payment.proof.evidence.binding.logN);
  const { decision, ear, carrier, revisions, policy, authority, confirmation, userKeys, userAssertion, leaf, proof } = body;
  await on.book.write(payment, {
    state: payment.result !== null ? payment.state : value.decision === 'permit' ? 'permitted' : body.state, decision: value.decision, code: value.code, message: value.code === null ? null : (value.findings[0]?.message ?? null), confirmed: false,
    ruling: { decision, ear, carrier, revisions, policy, device: on.session.device(), authority, confirmation, userKeys, userAssertion, leaf, proof },
  });
}

/** Takes the settlement's result into the book; also when it comes late. */
export const executed = (payment: Payment, { state, execution, receipt, leaf, proof }: LinkBody<'execution'>, on: Ports): Promise<Payment> =>
  on.book.write(payment, { state, result: { execution, receipt, leaf, proof } });

/** What a crash or a lost link left open is asked for, never made again. A payment that never arrived may be attempted anew. */
export async function resume(payment: Payment, on: Ports): Promise<void> {
  try {
    const answer = await on.session.request('settle_query', { paymentId: payment.paymentId });
    if (answer.type === 'decision') await ruled(payment, answer.body, on);
    if (answer.type === 'execution') await executed(payment, answer.body, on);
  } catch (error) {
    if (asFault(error).code === 'intake.not_found') await on.book.write(payment, { state: 'received', proof: null });
  }
}

/** Nobody authorised anything: told to the verifier, which deposits the refusal. */
async function refuse(payment: Payment, why: Fault, on: Ports): Promise<Payment> {
  report(payment, why, on);
  return on.book.write(payment, { state: 'denied', decision: 'deny', code: why.code, message: why.message });
}

/** Faults of the way and of the verifier's own: its decision may be committed all the same. */
const UNKNOWN: ReadonlySet<string> = new Set(['link.timeout', 'link.offline', 'link.protocol', 'store.unavailable', 'deposit.unavailable', 'bug.internal']);

/** An attempt ended with a fault. Before the evidence left the device nothing happened; after it only the verifier knows what did. */
async function leave(payment: Payment, why: Fault, on: Ports): Promise<Payment> {
  if (payment.state === 'proving') {
    return on.book.write(payment, { state: UNKNOWN.has(why.code) ? 'outcome_unknown' : 'failed', code: why.code, message: why.message });
  }
  if (payment.state === 'received') report(payment, why, on);
  throw why;
}

function report(payment: Payment, why: Fault, on: Ports): void {
  on.session.request('refusal', { paymentId: payment.paymentId, intent: payment.intent, code: why.code, message: why.message }).catch(() => {
    /* offline: a refusal that cannot be told moved no money */
  });
}

const seconds = (on: Ports): number => Math.floor(on.nowMs() / 1000);

/** Times each stage, ms with three decimals, into the payment. */
function stopwatch(payment: Payment): <T>(stage: string, work: () => Promise<T>) => Promise<T> {
  payment.ms = {};
  return async (stage, work) => {
    const from = performance.now();
    try {
      return await work();
    } finally {
      payment.ms[stage] = Math.round((performance.now() - from) * 1000) / 1000;
    }
  };
}
