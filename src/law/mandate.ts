/** What the user signed: the mandate's life, uses, agent, task and level, and the closed mandate of this payment. */
import { finding } from '../base/fault.js';
import type { ClosedPayment } from '../objects/mandate.js';
import { LEVEL_ROWS, effectiveLevel, maxPayments } from './levels.js';
import { type Known, type Verdict, alive, deny, rule } from './facts.js';

const LIFE = [
  rule('mandate', ['appraisal'], ({ mandate, mandateFault }) => (mandate ? null : deny(mandateFault ?? finding('mandate.unknown')))),
  rule('mandate.life', ['mandate', 'open'], (facts) => {
    const { mandate, open } = facts;
    return alive(facts, mandate.nbf, mandate.exp) && alive(facts, open.iat, open.exp) ? null : deny(finding('mandate.expired'));
  }),
  rule('mandate.state', ['appraisal', 'mandate'], ({ uses, mandate, offline }) => {
    if (offline) return null; // it was valid when the allowance was issued, and the terminal could not be told otherwise
    if (uses?.mandateId !== mandate.jti) return deny(finding('mandate.unknown'));
    if (uses.manifestRevoked) return deny(finding('manifest.revoked'));
    if (uses.state === 'expired') return deny(finding('mandate.expired'));
    return uses.state === 'valid' ? null : deny(finding('mandate.revoked', { state: uses.state }));
  }),
  rule('mandate.uses', ['mandate', 'uses', 'level'], ({ mandate, uses, level }) => {
    const max = maxPayments(level, mandate.task.maxPayments);
    return max === null || uses.uses < max ? null : deny(finding('mandate.exhausted', { max }));
  }),
];

const SCOPE = [
  rule('mandate.task', ['mandate', 'level'], ({ mandate: { task }, intent, level }) => {
    const named = task.id !== null && intent.taskId !== null;
    const right = LEVEL_ROWS[level].task ? named && task.id === intent.taskId : !named || task.id === intent.taskId;
    return right ? null : deny(finding('mandate.task'));
  }),
  rule('mandate.carrier', ['mandate', 'carrier'], ({ mandate, carrier, intent }) => {
    const same = mandate.carrier.id === carrier.jti && intent.carrierId === carrier.jti && mandate.sub === carrier.sub;
    return same ? null : deny(finding('mandate.carrier', { carrier: intent.carrierId ?? 'none' }));
  }),
  /** Lowering the level is how a missing permission shows. Where the level knows no doubt (L5) there is nothing to lower it to. */
  rule('level', ['mandate', 'carrier'], ({ mandate, carrier, policy, level }) => {
    if (level === mandate.level || (level && LEVEL_ROWS[mandate.level].ifDoubt === 'confirm')) return null;
    const byCarrier = effectiveLevel(mandate.level, carrier.rules.levels);
    const missing = policy && byCarrier === mandate.level ? 'level.not_allowed' : 'carrier.level';
    return deny(finding(missing, { level: mandate.level }));
  }),
];

const CLOSED = [
  rule('closed', ['appraisal', 'mandate'], ({ closed, mandateFault }) => (closed ? null : deny(mandateFault ?? finding('mandate.closed', { what: 'it is missing' })))),
  rule('closed.payment', ['closed', 'paymentSha256'], (facts) => {
    const wrong = difference(facts);
    return wrong === undefined ? null : deny(finding('mandate.closed', { what: `another ${wrong}` }));
  }),
  rule('closed.life', ['closed'], (facts): Verdict => (alive(facts, facts.closed.iat, facts.closed.exp) ? null : deny(finding('mandate.closed', { what: 'it is not valid at this time' })))),
];

/** The first fact in which the closed mandate is not this payment. */
function difference({ closed, intent, paymentSha256 }: Known<'closed' | 'paymentSha256'>): string | undefined {
  const same: { [K in keyof ClosedPayment]?: boolean } = {
    riskData: closed.riskData.ari.paymentSha256 === paymentSha256,
    transactionId: closed.transactionId === intent.order.termsSha256,
    payee: closed.payee.id === intent.payee.id && (closed.payee.website ?? null) === intent.payee.origin,
    paymentAmount: closed.paymentAmount.amount === intent.amount.amount && closed.paymentAmount.currency === intent.amount.currency,
    paymentInstrument: closed.paymentInstrument.id === intent.carrierId,
  };
  return Object.entries(same).find(([, equal]) => !equal)?.[0];
}

export const MANDATE_RULES = [...LIFE, ...CLOSED, ...SCOPE];
