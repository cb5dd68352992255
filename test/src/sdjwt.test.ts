import { describe, expect, it } from 'vitest';
import { sha256, toB64u } from '../../src/base/bytes.js';
import { canonical, type Json, parseJson } from '../../src/base/json.js';
import { type Signer, signJws } from '../../src/base/jws.js';
import { encode } from '../../src/base/shape.js';
import type { Code } from '../../src/codes.js';
import { closedPayment as closedShape, openPayment as openShape } from '../../src/objects/mandate.js';
import { closeMandate, closedHash, issueMandate, mandateHash, openClosed, openMandate } from '../../src/sdjwt/index.js';
import { NONCE, NOW, SALT, VERIFIER, closedPayment, mandate, mandateToken, openPayment } from '../support/examples.js';
import { codeOf } from '../support/fault.js';
import { AGENT, SIGNERS, STRANGER, keys } from '../support/keys.js';

type Members = { [name: string]: Json };
const disclosure = (value: Json): string => toB64u(Buffer.from(canonical(['salt', value])));
const payloadOf = (token: string): Members => parseJson(Buffer.from(token.split('.')[1]!, 'base64url')) as Members;
const headerOf = (token: string): Members => parseJson(Buffer.from(token.split('.')[0]!, 'base64url')) as Members;

/** The mandate with other claims, other disclosures or another header, properly signed by its user. */
function forged({ claims = {}, disclosures, typ = 'dc+sd-jwt', signer = SIGNERS.user }: { claims?: Members; disclosures?: string[]; typ?: string; signer?: Signer }): string {
  const shown = disclosures ?? mandateToken.split('~').slice(1, -1);
  return `${[signJws(signer, { typ }, { ...payloadOf(mandateToken), ...claims }), ...shown].join('~')}~`;
}
/** A mandate whose open payment is any JSON. */
const withOpen = (open: Json): string => forged({ claims: { delegate_payload: [{ '...': sha256(disclosure(open)) }] }, disclosures: [disclosure(open)] });
const openWire = encode(openShape, openPayment) as Members;

describe('a mandate', () => {
  it('opens to what its user signed', () => {
    const { mandate: opened, open } = openMandate(mandateToken, keys);
    expect(opened.value).toMatchObject({ ...mandate });
    expect(open).toEqual(openPayment);
    expect(opened.sha256).toBe(mandateHash(mandateToken));
    expect(opened.token).toBe(mandateToken);
  });

  it('is named by the hash of its presentation with the last "~"', () => {
    expect(mandateHash(mandateToken)).toBe(sha256(mandateToken));
    expect(mandateToken.endsWith('~')).toBe(true);
  });

  const [jwt = '', first = ''] = mandateToken.split('~');
  const attacks: [string, string, Code][] = [
    ['of a stranger', issueMandate(mandate, openPayment, STRANGER, SALT), 'mandate.signature'],
    ['signed by a key of another role', issueMandate(mandate, openPayment, SIGNERS.verifier, SALT), 'mandate.signature'],
    ['whose signature is another\'s', `${jwt.split('.').slice(0, 2).join('.')}.${forged({ claims: { iss: 'x' } }).split('~')[0]!.split('.')[2]}~${first}~`, 'mandate.signature'],
    ['whose level was raised after signing', mandateToken.replace(jwt.split('.')[1]!, toB64u(Buffer.from(canonical({ ...payloadOf(mandateToken), level: 'L5' })))), 'mandate.signature'],
    ['with alg none', mandateToken.replace(jwt.split('.')[0]!, toB64u(Buffer.from(canonical({ ...headerOf(mandateToken), alg: 'none' })))), 'mandate.malformed'],
    ['with the type of a hop', forged({ typ: 'kb+sd-jwt' }), 'mandate.malformed'],
    ['without its last "~"', mandateToken.slice(0, -1), 'mandate.malformed'],
    ['with a hop behind it', `${mandateToken}~${mandateToken}`, 'mandate.malformed'],
    ['with a dropped disclosure', `${jwt}~`, 'mandate.malformed'],
    ['with an added disclosure', `${jwt}~${first}~${disclosure('more')}~`, 'mandate.malformed'],
    ['with a disclosure twice', `${jwt}~${first}~${first}~`, 'mandate.malformed'],
    ['with a digest referenced twice', forged({ claims: { delegate_payload: [{ '...': sha256(first) }, { '...': sha256(first) }] } }), 'mandate.malformed'],
    ['with another disclosure for the digest', `${jwt}~${disclosure(openWire)}~`, 'mandate.malformed'],
    ['with a padded disclosure', `${jwt}~${first}=~`, 'mandate.malformed'],
    ['of another digest algorithm', forged({ claims: { _sd_alg: 'sha-512' } }), 'mandate.malformed'],
    ['of another type of credential', forged({ claims: { vct: 'tag:other' } }), 'mandate.malformed'],
    ['with a member that is unknown here', forged({ claims: { extra: true } }), 'mandate.malformed'],
    ['with an agent key that is no point of the curve', forged({ claims: { cnf: { jwk: { ...AGENT.jwk, y: AGENT.jwk.x } } } }), 'mandate.malformed'],
    ['whose open payment confirms another agent key', withOpen({ ...openWire, cnf: { jwk: { ...STRANGER.jwk } } }), 'mandate.malformed'],
    ['whose open payment is none', withOpen(null), 'mandate.malformed'],
    ['whose open payment has no constraint', withOpen({ ...openWire, constraints: [] }), 'mandate.malformed'],
    ['with a fractional limit', withOpenText('"max":20000', '"max":200.5'), 'mandate.malformed'],
    ['with a constraint that is unknown here', withOpen({ ...openWire, constraints: [{ type: 'environment.agent_runtime' }] }), 'mandate.constraint_unknown'],
    ['with a constraint that has no type', withOpen({ ...openWire, constraints: [null] }), 'mandate.constraint_unknown'],
    ['with an AP2 constraint that cannot be checked here', withOpen({ ...openWire, constraints: [{ type: 'payment.budget', max: 1, currency: 'CNY' }] }), 'mandate.constraint_unknown'],
    ['with two open payments', twoOpen(), 'mandate.malformed'],
  ];
  it.each(attacks)('%s is refused', (_, token, expected) => expect(codeOf(() => openMandate(token, keys))).toBe(expected));

  it('is refused when its disclosure is a second spelling of the same bytes', () => {
    const text = ['salt', 'salt+', 'salt++'].map((salt) => toB64u(Buffer.from(canonical([salt, openWire])))).find(({ length }) => length % 4 === 2)!;
    const twin = `${text.slice(0, -1)}${String.fromCharCode(text.charCodeAt(text.length - 1) + 1)}`;
    const naming = (disclosed: string): string => forged({ claims: { delegate_payload: [{ '...': sha256(disclosed) }] }, disclosures: [disclosed] });
    expect(Buffer.from(twin, 'base64url')).toEqual(Buffer.from(text, 'base64url'));
    expect(openMandate(naming(text), keys).open).toEqual(openPayment);
    expect(codeOf(() => openMandate(naming(twin), keys))).toBe('mandate.malformed');
  });

  it('opens when constraints are disclosed one by one, and shows them all', () => {
    const payees = openWire['constraints'] as Members[];
    const inner = disclosure((payees[1]!['allowed'] as Json[])[0]!);
    const outer = disclosure({ ...openWire, constraints: payees.map((one, i) => (i === 1 ? { ...one, allowed: [{ '...': sha256(inner) }] } : one)) });
    const token = forged({ claims: { delegate_payload: [{ '...': sha256(outer) }] }, disclosures: [inner, outer] });
    expect(openMandate(token, keys).open).toEqual(openPayment);
    expect(codeOf(() => openMandate(token.replace(`${inner}~`, ''), keys))).toBe('mandate.malformed');
  });
});

function withOpenText(from: string, to: string): string {
  const text = toB64u(Buffer.from(canonical(['salt', openWire]).replace(from, to)));
  return forged({ claims: { delegate_payload: [{ '...': sha256(text) }] }, disclosures: [text] });
}
function twoOpen(): string {
  const second = disclosure(openWire);
  const first = mandateToken.split('~')[1]!;
  return forged({ claims: { delegate_payload: [{ '...': sha256(first) }, { '...': sha256(second) }] }, disclosures: [first, second] });
}

describe('a closed mandate', () => {
  const { mandate: opened } = openMandate(mandateToken, keys);
  const expected = { aud: VERIFIER, nonce: NONCE };
  const closing = { mandateToken, closed: closedPayment, aud: VERIFIER, nonce: NONCE, iat: NOW };
  const token = closeMandate(closing, AGENT, SALT);
  const open = (closed: string) => openClosed(closed, mandateToken, opened, expected);

  it('opens to the payment that the agent key signed', () => {
    const { closed, binding } = open(token);
    expect(closed).toEqual(closedPayment);
    expect(binding).toMatchObject({ aud: VERIFIER, nonce: NONCE, iat: NOW, sdHash: mandateHash(mandateToken) });
    expect(closedHash(token)).toBe(sha256(token));
  });

  /** The hop with other claims or another header, properly signed by the agent. */
  const forgedHop = (claims: Members, typ = 'kb+sd-jwt'): string => `${signJws(AGENT, { typ }, { ...payloadOf(token), ...claims })}~${token.split('~')[1]}~`;
  const other = issueMandate({ ...mandate, level: 'L4' }, openPayment, SIGNERS.user, SALT);
  const withClosed = (value: Json): string => {
    const text = disclosure(value);
    return `${signJws(AGENT, { typ: 'kb+sd-jwt' }, { ...payloadOf(token), delegate_payload: [{ '...': sha256(text) }] })}~${text}~`;
  };
  const wire = encode(closedShape, closedPayment) as Members;

  const twoClosed = (): string => {
    const [first, second] = [disclosure(wire), disclosure({ ...wire, exp: NOW + 50 })];
    return `${signJws(AGENT, { typ: 'kb+sd-jwt' }, { ...payloadOf(token), delegate_payload: [{ '...': sha256(first) }, { '...': sha256(second) }] })}~${first}~${second}~`;
  };

  const attacks: [string, string][] = [
    ['for another audience', closeMandate({ ...closing, aud: 'https://other.example' }, AGENT, SALT)],
    ['over another nonce', closeMandate({ ...closing, nonce: sha256('old nonce') }, AGENT, SALT)],
    ['without an audience', forgedHop({ aud: null })],
    ['without a nonce', forgedHop({ nonce: null })],
    ['signed by another key than the mandate confirms', closeMandate(closing, STRANGER, SALT)],
    ['over another mandate of the same user and agent', closeMandate({ ...closing, mandateToken: other }, AGENT, SALT)],
    ['over the mandate without its last "~"', forgedHop({ sd_hash: sha256(mandateToken.slice(0, -1)) })],
    ['that binds the issuer JWT only', forgedHop({ sd_hash: null, issuer_jwt_hash: sha256(mandateToken.split('~')[0]!) })],
    ['that delegates on', forgedHop({}, 'kb+sd-jwt+kb')],
    ['with the type of a plain key binding', forgedHop({}, 'kb+jwt')],
    ['whose disclosure was dropped', `${token.split('~')[0]}~`],
    ['with a second payment', twoClosed()],
    ['with one payment named twice', forgedHop({ delegate_payload: [...(payloadOf(token)['delegate_payload'] as Json[]), ...(payloadOf(token)['delegate_payload'] as Json[])] })],
    ['without its last "~"', token.slice(0, -1)],
    ['that is the mandate itself', mandateToken],
    ['with a fractional amount', withClosed({ ...wire, payment_amount: { amount: '99.00', currency: 'CNY' } })],
    ['with risk data beside ours', withClosed({ ...wire, risk_data: { ...(wire['risk_data'] as Members), other: 1 } })],
    ['that is nothing', ''],
  ];
  it.each(attacks)('%s is refused', (_, closed) => expect(codeOf(() => open(closed))).toBe('mandate.closed'));

  it('is refused beside another presentation of the mandate', () => {
    expect(codeOf(() => openClosed(closeMandate({ ...closing, mandateToken: other }, AGENT, SALT), other, opened, expected))).toBe('mandate.closed');
  });
});
