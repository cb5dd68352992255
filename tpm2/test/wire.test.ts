import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  Attest, CapabilityData, ClockInfo, type Codec, COMMANDS, Context, decode, encode, EccPoint, Ha, NvPublic, NvAttributes, ObjectAttributes, PcrSelection, Public, registerPublic,
  sealedTemplate, selectPcrs, Sensitive, SessionAttributes, Signature, SigScheme, SymDef, templates, Ticket, TimeInfo, WireError, counterPublic, policies,
} from '../src/index.js';
import { hex } from './support/vectors.js';

const QUOTE = hex(`ff544347 8018 0022000ba1bf5b1aa83efc94f8badac497536c26c1533f5c2c7bbd9f37947fba72f98a1b 0004deadbeef 00000000000076fc 00000006 00000000 00
  2019102300163636 00000001 000b 03 ff0000 0020 4298e64d7ad0b5e97aafd455a2e5f229fbb8bf5c7a8d625379c0ed1122eb0c7d`);
const clock = { clock: 1n, resetCount: 2, restartCount: 3, safe: true };
const head = { magic: 0xff544347 as const, qualifiedSigner: Buffer.alloc(34, 1), extraData: Buffer.alloc(32, 2), clockInfo: clock, firmwareVersion: 2n ** 63n };
const name = Buffer.alloc(34, 3);

/** Every structure, with valid bytes to start mutations from. */
const SEEDS: [string, Codec<any>, Buffer[]][] = [
  ['Attest', Attest, [
    QUOTE,
    encode(Attest, { ...head, type: 'certify', attested: { name, qualifiedName: name } }),
    encode(Attest, { ...head, type: 'nv', attested: { indexName: name, offset: 0, nvContents: Buffer.alloc(32) } }),
    encode(Attest, { ...head, type: 'nvDigest', attested: { indexName: name, nvDigest: Buffer.alloc(32) } }),
    encode(Attest, { ...head, type: 'creation', attested: { objectName: name, creationHash: Buffer.alloc(32) } }),
    encode(Attest, { ...head, type: 'time', attested: { time: { time: 5n, clockInfo: clock }, firmwareVersion: 1n } }),
    encode(Attest, { ...head, type: 'sessionAudit', attested: { exclusiveSession: false, sessionDigest: Buffer.alloc(32) } }),
    encode(Attest, { ...head, type: 'commandAudit', attested: { auditCounter: 1n, digestAlg: 11, auditDigest: Buffer.alloc(32), commandDigest: Buffer.alloc(32) } }),
  ]],
  ['Public', Public, [...Object.values(templates), sealedTemplate(), sealedTemplate(policies.PolA)].map((area) => encode(Public, area))],
  ['NvPublic', NvPublic, [encode(NvPublic, registerPublic(0x01d10300, policies.PolA)), encode(NvPublic, counterPublic(0x01d10301, policies.PolA))]],
  ['Signature', Signature, [
    encode(Signature, { sigAlg: 'ecdsa', hash: 'sha256', signatureR: Buffer.alloc(32, 1), signatureS: Buffer.alloc(32, 2) }),
    encode(Signature, { sigAlg: 'rsassa', hash: 'sha256', sig: Buffer.alloc(256, 1) }), encode(Signature, { sigAlg: 'null' }),
    encode(Signature, { sigAlg: 'hmac', hashAlg: 'sha256', digest: Buffer.alloc(32) }),
  ]],
  ['PcrSelection', PcrSelection, [encode(PcrSelection, selectPcrs('sha256', [0, 7, 23])[0]!), encode(PcrSelection, { hash: 'sha1', pcrs: [31], sizeofSelect: 4 })]],
  ['ClockInfo', ClockInfo, [encode(ClockInfo, clock)]],
  ['TimeInfo', TimeInfo, [encode(TimeInfo, { time: 9n, clockInfo: clock })]],
  ['CapabilityData', CapabilityData, [encode(CapabilityData, { capability: 'handles', data: [1, 2] }), encode(CapabilityData, { capability: 'pcrs', data: selectPcrs('sha256', [1]) })]],
  ['Ha', Ha, [encode(Ha, { hashAlg: 'sha384', digest: Buffer.alloc(48) })]],
  ['Ticket', Ticket, [encode(Ticket, { tag: 'hashcheck', hierarchy: 1, digest: Buffer.alloc(32) })]],
  ['Context', Context, [encode(Context, { sequence: 1n, savedHandle: 2, hierarchy: 3, contextBlob: Buffer.alloc(9) })]],
  ['Sensitive', Sensitive, [encode(Sensitive, { sensitiveType: 'ecc', authValue: Buffer.alloc(1), seedValue: Buffer.alloc(0), sensitive: Buffer.alloc(32) })]],
  ['SymDef', SymDef, [encode(SymDef, { algorithm: 'aes', keyBits: 128, mode: 'cfb' })]],
  ['SigScheme', SigScheme, [encode(SigScheme, { scheme: 'ecdsa', hashAlg: 'sha256' })]],
  ['EccPoint', EccPoint, [encode(EccPoint, { x: Buffer.alloc(32), y: Buffer.alloc(32) })]],
  ['ObjectAttributes', ObjectAttributes, [hex('00050472')]],
  ['NvAttributes', NvAttributes, [hex('2e040048')]],
  ['SessionAttributes', SessionAttributes, [hex('01')]],
];

function refusesOrRoundTrips(codec: Codec<unknown>, bytes: Uint8Array): void {
  let value: unknown;
  try {
    value = decode(codec, bytes);
  } catch (error) {
    expect(error).toBeInstanceOf(WireError);
    return;
  }
  expect(encode(codec, value as never).equals(bytes)).toBe(true);
}

describe('every structure refuses bytes or gives back exactly the same', () => {
  it.each(SEEDS)('%s: its seeds round-trip, and every truncation and every single-bit flip of them does or is refused', (_, codec, seeds) => {
    for (const seed of seeds) {
      expect(encode(codec, decode(codec, seed) as never).equals(seed)).toBe(true);
      for (let size = 0; size < seed.length; size++) expect(() => decode(codec, seed.subarray(0, size))).toThrow(WireError);
      expect(() => decode(codec, Buffer.concat([seed, Buffer.of(0)]))).toThrow(WireError);
      for (let bit = 0; bit < seed.length * 8; bit++) {
        const flipped = Buffer.from(seed);
        flipped[bit >> 3]! ^= 1 << (bit & 7);
        refusesOrRoundTrips(codec, flipped);
      }
    }
  });

  it.each(SEEDS)('%s: arbitrary bytes and splices', (_, codec, seeds) => {
    const splice = fc.tuple(fc.constantFrom(...seeds), fc.nat(), fc.nat(8), fc.uint8Array({ maxLength: 12 }));
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => refusesOrRoundTrips(codec, bytes)), { numRuns: 200 });
    fc.assert(fc.property(splice, ([seed, at, drop, put]) => {
      const from = at % (seed.length + 1);
      refusesOrRoundTrips(codec, Buffer.concat([seed.subarray(0, from), put, seed.subarray(from + drop)]));
    }), { numRuns: 300 });
  });

  it('parameters and answers of every command: arbitrary bytes', () => {
    for (const row of COMMANDS.values()) {
      fc.assert(fc.property(fc.uint8Array({ maxLength: 120 }), (bytes) => { refusesOrRoundTrips(row.params, bytes); refusesOrRoundTrips(row.returns, bytes); }), { numRuns: 40 });
    }
  });
});

describe('a refusal names the field and the byte', () => {
  const refusal = (bytes: Buffer): string => {
    try { decode(Attest, bytes); } catch (error) { return (error as WireError).message; }
    return 'accepted';
  };
  const patched = (at: number, value: string): Buffer => { const out = Buffer.from(QUOTE); hex(value).copy(out, at); return out; };

  it.each([
    ['a wrong magic', patched(0, 'deadbeef'), 'magic at byte 0: 0xdeadbeef where 0xff544347 must be'],
    ['an unknown type', patched(4, '8099'), 'type at byte 4: unknown value 0x8099'],
    ['a boolean that is neither', patched(64, '02'), 'clockInfo.safe at byte 64: 0x2 is neither NO nor YES'],
    ['a list longer than any TPM’s', patched(73, 'ffffffff'), 'attested.pcrSelect at byte 73: count 4294967295 over the limit 16'],
    ['an unknown bank', patched(77, '0099'), 'attested.pcrSelect[0] at byte 77: unknown value 0x99'],
    ['a name longer than any', patched(6, 'ffff'), 'qualifiedSigner at byte 6: size 65535 over the limit 66'],
    ['a byte too many', Buffer.concat([QUOTE, Buffer.of(0)]), 'at byte 117: 1 bytes left over'],
    ['a byte too few', QUOTE.subarray(0, -1), 'attested.pcrDigest at byte 85: needs 32 bytes, 31 left'],
  ])('%s', (_, bytes, message) => {
    expect(refusal(bytes)).toBe(message);
  });

  it('has path and position as fields', () => {
    try { decode(Attest, patched(64, '02')); expect.unreachable(); } catch (error) {
      expect(error).toMatchObject({ name: 'WireError', path: 'clockInfo.safe', at: 64 });
      expect((error as Error).stack).toMatch(/^WireError: clockInfo\.safe at byte 64: .*\n +at /);
    }
  });
});

describe('encoding refuses what a structure cannot carry', () => {
  it.each([
    ['a number out of range', () => encode(ClockInfo, { ...clock, resetCount: 2 ** 32 })],
    ['a number that is none', () => encode(ClockInfo, { ...clock, resetCount: 1.5 })],
    ['a 64-bit field as a number', () => encode(ClockInfo, { ...clock, clock: 1 as never })],
    ['a negative bigint', () => encode(ClockInfo, { ...clock, clock: -1n })],
    ['bytes over the limit', () => encode(EccPoint, { x: Buffer.alloc(81), y: Buffer.alloc(0) })],
    ['no bytes at all', () => encode(EccPoint, { x: 'ab' as never, y: Buffer.alloc(0) })],
    ['an unknown name', () => encode(SigScheme, { scheme: 'md5' } as never)],
    ['a digest of the wrong size', () => encode(Ha, { hashAlg: 'sha256', digest: Buffer.alloc(20) })],
    ['a PCR that does not exist', () => encode(PcrSelection, { hash: 'sha256', pcrs: [24] })],
    ['an unknown NV type', () => encode(NvAttributes, { ...registerPublic(1, policies.PolA).attributes, type: 'x' as never })],
    ['a missing structure', () => encode(Attest, { ...decode(Attest, QUOTE), attested: undefined } as never)],
  ])('%s', (_, run) => {
    expect(run).toThrow(WireError);
  });
});

it('64-bit fields are exact', () => {
  const value = decode(Attest, QUOTE);
  expect(value.firmwareVersion).toBe(0x2019102300163636n);
  expect(value.clockInfo.clock).toBe(0x76fcn);
  if (value.type !== 'quote') expect.unreachable();
  else expect(value.attested.pcrSelect).toEqual([{ hash: 'sha256', pcrs: [0, 1, 2, 3, 4, 5, 6, 7] }]);
});

it('attribute words are those of the field', () => {
  expect(encode(ObjectAttributes, templates.akP256.objectAttributes).toString('hex')).toBe('00050472');
  expect(encode(ObjectAttributes, templates.ekP256.objectAttributes).toString('hex')).toBe('000300b2');
  expect(encode(ObjectAttributes, templates.ekP384.objectAttributes).toString('hex')).toBe('000300f2');
  expect(encode(NvAttributes, registerPublic(0, policies.PolA).attributes).toString('hex')).toBe('0e040048');
  expect(encode(NvAttributes, registerPublic(0, policies.PolA, { orderly: false }).attributes).toString('hex')).toBe('0a040048');
  expect(encode(NvAttributes, counterPublic(0, policies.PolA).attributes).toString('hex')).toBe('02040018');
});

it('the EK policies are those of the profile', () => {
  expect(policies.PolA.toString('hex')).toBe('837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa');
  expect(policies.PolA384.toString('hex')).toBe('8bbf2266537c171cb56e403c4dc1d4b64f432611dc386e6f532050c3278c930e143e8bb1133824ccb431053871c6db53');
  expect(policies.PolB384.toString('hex')).toBe('b26e7d28d11a50bc53d882bcf5fd3a1a074148bb35d3b4e4cb1c0ad9bde419cacb47ba09699646150f9fc000f3f80e12');
});
