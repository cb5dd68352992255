/** What settlement asks of the bearer of a token, check by check; also of an issuer that is not honest. */
import { describe, expect, it } from 'vitest';
import { type ClosedPayment } from '../../src/objects/mandate.js';
import type { ExecutionToken } from '../../src/objects/settlement.js';
import { closedHash, closeMandate, issueMandate } from '../../src/sdjwt/index.js';
import { assertPresented } from '../../verifier/presented.js';
import { closedPayment, execution, mandate, mandateToken, NONCE, NOW, openPayment, VERIFIER } from '../support/examples.js';
import { codeOf } from '../support/fault.js';
import { AGENT, SIGNERS, testSigner } from '../support/keys.js';

const SALT = Buffer.alloc(16, 7);
const closing = (changes: Partial<ClosedPayment> = {}, key = AGENT, over = mandateToken): string => closeMandate({ mandateToken: over, closed: { ...closedPayment, ...changes }, aud: VERIFIER, nonce: NONCE, iat: NOW }, key, SALT);
/** An issuer's token that names exactly this closed mandate. */
const tokenFor = (closedMandate: string, changes: Partial<ExecutionToken> = {}): ExecutionToken => ({ ...execution, closedSha256: closedHash(closedMandate), ...changes });
const refusal = (token: ExecutionToken, closedMandate: string, over = mandateToken): string | null => codeOf(() => { assertPresented(token, { mandate: over, closedMandate }); });

describe('a token', () => {
  const honest = closing();

  it('is taken with the closed mandate that it is bound to', () => {
    expect(refusal(tokenFor(honest), honest)).toBeNull();
  });

  it('is not taken with another closing of the same payment: that is not what the verifier judged', () => {
    expect(refusal(tokenFor(honest), closing())).toBe('token.holder');
  });

  it.each<[string, string, Partial<ExecutionToken>?]>([
    ['another agent key', honest, { cnf: { jkt: 'A'.repeat(43) } }],
    ['a closed mandate that another key signed', closing({}, testSigner('thief'))],
    ['a closed mandate for another amount', closing({ paymentAmount: { ...closedPayment.paymentAmount, amount: 1n } })],
    ['a closed mandate for another payee', closing({ payee: { ...closedPayment.payee, id: 'merchant_2' } })],
    ['a closed mandate for another request', closing({ riskData: { ari: { paymentSha256: 'A'.repeat(43) } } })],
    ['no closed mandate at all', mandateToken],
  ])('that an issuer made up is not taken: it names %s', (_, closedMandate, changes) => {
    expect(refusal(tokenFor(closedMandate, changes), closedMandate)).toBe('token.holder');
  });

  it('is not taken with another mandate, also of the same agent key', () => {
    const other = issueMandate({ ...mandate, jti: 'mnd_01JD0000000000000000000009' }, openPayment, SIGNERS.user, SALT);
    expect([refusal(tokenFor(honest), honest, other), refusal(tokenFor(honest), honest, honest)]).toEqual(['token.holder', 'token.holder']);
  });
});
