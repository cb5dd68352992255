import { describe, expect, it } from 'vitest';
import { canonical } from '../../src/base/json.js';
import { decode, encode } from '../../src/base/shape.js';
import { type DeviceMessage, type LinkMessage, type VerifierMessage, deviceMessage, messageText, verifierMessage } from '../../src/link.js';
import { codeOf } from '../support/fault.js';
import { FROM_DEVICE, FROM_VERIFIER, LINK_SAMPLES } from './link.samples.js';

const of = (name: string) => LINK_SAMPLES.find((one) => one.name === name)!;
const wire = (name: string) => encode(of(name).shape, of(name).value) as { [name: string]: never };

/** That each message round-trips and refuses surplus is tested with all other objects: objects/shapes.test.ts. */
describe('the link', () => {
  it('takes from each side only what that side may send', () => {
    const onlyDevice = Object.keys(FROM_DEVICE).filter((type) => !(type in FROM_VERIFIER));
    for (const type of onlyDevice) expect(codeOf(() => decode(verifierMessage, wire(`link-device-${type}`)))).toBe('intake.malformed');
    const onlyVerifier = Object.keys(FROM_VERIFIER).filter((type) => !(type in FROM_DEVICE));
    for (const type of onlyVerifier) expect(codeOf(() => decode(deviceMessage, wire(`link-verifier-${type}`)))).toBe('intake.malformed');
  });

  const hello = wire('link-device-hello');
  it.each([
    ['another version', { v: 2 }], ['an unknown type', { type: 'pay' }], ['a body of another type', { type: 'platform' }], ['no body', { body: null }],
    ['an id that is no ULID', { id: 'x' }], ['an id in lower case', { id: '01jd0000000000000000000000' }], ['a type of the prototype', { type: 'constructor' }],
  ])('refuses %s', (_, change) => expect(codeOf(() => decode(deviceMessage, { ...hello, ...change }))).toBe('intake.malformed'));

  it.each(LINK_SAMPLES)('writes $name as its shape does', ({ shape, value }) => {
    expect(messageText(value as LinkMessage)).toBe(canonical(encode(shape, value)));
  });

  it('gives a message its type', () => {
    const message: DeviceMessage | VerifierMessage = decode(deviceMessage, wire('link-device-settle_query'));
    expect(message.type === 'settle_query' && message.body.paymentId).toMatch(/^pay_/);
  });
});
