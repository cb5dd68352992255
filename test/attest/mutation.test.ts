/** No bit of valid evidence is without meaning: whatever an adversary changes on the way is refused with a code, and nothing crashes. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromB64u, sha256, toB64u } from '../../src/base/bytes.js';
import { Fault } from '../../src/base/fault.js';
import { CODES, isCode } from '../../src/codes.js';
import { parse, stringify } from '../../src/base/shape.js';
import { type Evidence, type PlatformEvidence, evidence as evidenceShape } from '../../src/objects/evidence.js';
import type { PaymentInput, PlatformInput } from '../../attest/types.js';
import { appraisePayment, appraisePlatform } from '../../attest/verify/index.js';
import { TEST_POLICY, TestDevice } from '../support/device.js';
import { VERIFIER } from '../support/examples.js';

const nonce = sha256('connection');
let device: TestDevice;
let platform: PlatformEvidence;
let good: Evidence;

beforeAll(async () => {
  device = await TestDevice.start();
  await device.measure('agent_start');
  platform = await device.platform({ nonce });
  good = await device.pay(platform);
});
afterAll(() => device.stop());

const platformInput = (evidence: PlatformEvidence): PlatformInput => ({ evidence, log: device.delta(), nonce, aud: VERIFIER, device: device.known(), policy: TEST_POLICY, connection: true });
/** Offline, so that the platform part inside is judged as well. */
const paymentInput = (evidence: Evidence, expected: Evidence): PaymentInput => {
  const { nonce: n, aud, paymentSha256, mandateSha256, closedSha256, jkt } = expected.payment.binding;
  return { evidence, expected: { nonce: n, aud, paymentSha256, mandateSha256, closedSha256, jkt }, device: device.known(), platform: null, manifest: device.manifest, policy: TEST_POLICY };
};

function* flips(text: string): Generator<{ text: string; what: string }> {
  const bytes = fromB64u(text)!;
  for (let i = 0; i < bytes.length; i++) {
    const flipped = Buffer.from(bytes);
    flipped[i]! ^= 1 << (i % 8);
    yield { text: toB64u(flipped), what: `byte ${i}` };
  }
}

/** The bytes of each attestation and signature, by name, with a way to replace them. */
const PLATFORM_PARTS = {
  'the attestation of the quote': (e: PlatformEvidence, attest: string) => ({ ...e, quote: { ...e.quote, attest } }),
  'the signature of the quote': (e: PlatformEvidence, signature: string) => ({ ...e, quote: { ...e.quote, signature } }),
  'the attestation of the register': (e: PlatformEvidence, attest: string) => ({ ...e, register: { ...e.register!, attest } }),
  'the signature of the register': (e: PlatformEvidence, signature: string) => ({ ...e, register: { ...e.register!, signature } }),
  'the attestation of the counter': (e: PlatformEvidence, attest: string) => ({ ...e, counter: { ...e.counter!, attest } }),
  'the signature of the counter': (e: PlatformEvidence, signature: string) => ({ ...e, counter: { ...e.counter!, signature } }),
};
const bytesOf = (name: string): string => {
  const part = name.endsWith('quote') ? platform.quote : name.endsWith('register') ? platform.register! : platform.counter!;
  return name.includes('attestation') ? part.attest : part.signature;
};

describe('a bit flipped in a platform part', () => {
  it.each(Object.entries(PLATFORM_PARTS))('is refused in every byte of %s', (name, replace) => {
    for (const { text, what } of flips(bytesOf(name))) {
      const { appraisal, next } = appraisePlatform(platformInput(replace(platform, text)));
      expect(appraisal.authentic, what).toBe(false);
      expect(next, what).toBeNull();
      expect(isCode(appraisal.findings[0]!.code), what).toBe(true);
    }
  });

  it('is refused at every length that the bytes are cut to', () => {
    for (const [name, replace] of Object.entries(PLATFORM_PARTS)) {
      const bytes = fromB64u(bytesOf(name))!;
      for (let length = 0; length < bytes.length; length++) expect(appraisePlatform(platformInput(replace(platform, toB64u(bytes.subarray(0, length))))).appraisal.authentic, `${name} ${length}`).toBe(false);
    }
  });
});

describe('a character changed in the evidence of a payment', () => {
  it('is refused wherever it stands: no member is without meaning', () => {
    const wire = stringify(evidenceShape, good);
    const accepted: string[] = [];
    const alphabet = '0123456789abcdefAZ_-"{}[],:';
    for (let i = 0; i < wire.length; i += 3) {
      const char = alphabet[i % alphabet.length]!;
      if (wire[i] === char) continue;
      const verdict = judge(wire.slice(0, i) + char + wire.slice(i + 1));
      if (verdict === null) accepted.push(`${i}: ${wire.slice(i - 20, i + 20)}`);
      else expect(Object.keys(CODES)).toContain(verdict);
    }
    expect(accepted).toEqual([]);
    expect(judge(wire)).toBeNull();
  });

  it('does not crash the appraisal either when many are', () => {
    const wire = stringify(evidenceShape, good);
    fc.assert(fc.property(fc.array(fc.tuple(fc.nat(wire.length - 1), fc.constantFrom('0', 'a', 'A', '_', '"', '}', '{')), { minLength: 1, maxLength: 5 }), (edits) => {
      const chars = wire.split('');
      for (const [at, char] of edits) chars[at] = char;
      if (chars.join('') !== wire) expect(judge(chars.join(''))).not.toBeNull();
    }), { numRuns: 150 });
  });
});

/** The code that evidence on the wire is refused with; null when it is accepted. */
function judge(wire: string): string | null {
  try {
    const result = appraisePayment(paymentInput(parse(evidenceShape, wire), good));
    return result.authentic ? null : result.code;
  } catch (error) {
    if (error instanceof Fault && error.code !== 'bug.internal') return error.code;
    throw error;
  }
}
