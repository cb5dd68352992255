/** Which requests pay, over each protocol: what is not known not to pay is refused. */
import { describe, expect, it } from 'vitest';
import { type Asked, payingOf, targetOf } from '../../../src/protocols/index.js';
import { codeOf } from '../../support/fault.js';

const HEADERS = { ucp: [['ucp-agent', 'profile="https://agent.example"']], ap2: [['ucp-agent', 'profile="https://agent.example"']], acp: [['api-version', '2026-04-17']], x402: [] } as Record<string, [string, string][]>;
const BODY = { ucp: '{"payment":{}}', ap2: '{"payment":{}}', acp: '{"payment_data":{}}', x402: '' } as Record<string, string>;
const judge = (protocol: string, method: string, path: string, more: [string, string][] = []): string => {
  const target = targetOf(`/x/${protocol}/shop.example${path}`);
  const request: Asked = { method, path: target.path, headers: [...HEADERS[protocol]!, ...more], body: Buffer.from(BODY[protocol]!) };
  return codeOf(() => payingOf(target, request)) ?? (payingOf(target, request) === null ? 'passes' : 'pays');
};

describe('a request', () => {
  it.each([
    ['ucp', 'GET', '/.well-known/ucp'], ['ucp', 'POST', '/checkout-sessions'], ['ucp', 'GET', '/ucp/v1/checkout-sessions/a'], ['ucp', 'PUT', '/checkout-sessions/a'], ['ucp', 'POST', '/checkout-sessions/a/cancel'],
    ['ucp', 'POST', '/carts'], ['ucp', 'POST', '/catalog/search'], ['ucp', 'GET', '/orders/a?x=1'], ['ap2', 'GET', '/checkout-sessions/a'],
    ['acp', 'GET', '/.well-known/acp.json'], ['acp', 'POST', '/checkout_sessions'], ['acp', 'POST', '/checkout_sessions/a'], ['acp', 'POST', '/checkout_sessions/complete'], ['x402', 'GET', '/anything'], ['x402', 'POST', '/any/thing?x=1'],
  ])('over %s passes: %s %s', (...asked) => expect(judge(...asked)).toBe('passes'));

  it.each([['ucp', '/ucp/v1/checkout-sessions/a/complete'], ['ap2', '/checkout-sessions/a/complete'], ['acp', '/api/checkout_sessions/a/complete']])('over %s pays: POST %s', (protocol, path) => {
    expect(judge(protocol, 'POST', path)).toBe('pays');
  });

  it.each([
    ['ucp', 'PUT', '/checkout-sessions/a/complete'], ['ucp', 'POST', '/checkout-sessions/a/COMPLETE'], ['ucp', 'POST', '/Checkout-Sessions/a/complete'], ['ucp', 'POST', '/checkout-sessions/a/complete?'], ['ucp', 'POST', '/checkout_sessions/a/complete'],
    ['ucp', 'POST', '/checkout-sessions/a/complete/carts'], ['ucp', 'POST', '/mcp'], ['ucp', 'DELETE', '/checkout-sessions/a'], ['ucp', 'GET', '/'], ['acp', 'POST', '/agentic_commerce/delegate_payment'], ['acp', 'GET', '/checkout_sessions/a/complete'], ['acp', 'POST', '/checkout-sessions/a/complete'],
  ])('over %s is refused: %s %s', (...asked) => expect(judge(...asked)).toBe('intake.target'));

  it.each([['ucp', '/checkout-sessions', 'api-version'], ['ucp', '/checkout-sessions', 'x-payment'], ['acp', '/checkout_sessions', 'ucp-agent'], ['acp', '/checkout_sessions', 'payment-signature'], ['x402', '/a', 'x-payment'], ['x402', '/a', 'ucp-agent']])(
    'over %s to %s with the header %s is of another protocol', (protocol, path, header) => expect(judge(protocol, 'POST', path, [[header, '1']])).toBe('intake.profile_mismatch'));

  it.each(['/checkout-sessions/a/complete', '/v1/Checkout_Sessions/a/complete', '/checkout_sessions'])('over x402 to %s would pass by the gate of the protocol that it is of', (path) => {
    expect(judge('x402', 'POST', path)).toBe('intake.profile_mismatch');
  });

  it('with a header twice is not taken', () => {
    expect(judge('acp', 'POST', '/checkout_sessions/a/complete', [['idempotency-key', 'a'], ['idempotency-key', 'b']])).toBe('intake.malformed');
    expect(judge('acp', 'POST', '/checkout_sessions/a/complete', [['api-version', '2026-04-17']])).toBe('intake.malformed');
  });
});
