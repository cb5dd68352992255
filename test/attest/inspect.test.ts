import { generateKeyPairSync, sign } from 'node:crypto';
import { Attest, type AttestOf, Public, Signature, decode, encode, nameOf, objectAttributes, templates } from '@ari-sidecar/tpm2';
import { describe, expect, it } from 'vitest';
import { coveredBy, describeAttest, describePublic, inspectEventLog, inspectIma, inspectQuote, meantBytes, readAttestation, readPublic, supposedState } from '../../attest/inspect/index.js';
import { codeOf } from '../support/fault.js';
import { GOOD_BOOT, type MadeEntry, agileLog, asciiList, binaryList, hashOf, pcr10Of, pcrsOf } from './support/logs.js';

const ak = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const areaOf = (attributes = templates.akP256.objectAttributes): Buffer => {
  const { x, y } = ak.publicKey.export({ format: 'jwk' });
  return encode(Public, { ...templates.akP256, objectAttributes: attributes, unique: { x: Buffer.from(x!, 'base64url'), y: Buffer.from(y!, 'base64url') } });
};
const AK = areaOf();
const NONCE = Buffer.from('the nonce of the verifier', 'latin1');
const VALUES = { sha1: { '0': '11'.repeat(20) }, sha256: { '0': '22'.repeat(32), '7': '33'.repeat(32) } };
const digestOf = (table: Record<string, Record<string, string>>): Buffer => hashOf('sha256', Buffer.from(Object.values(table).flatMap((values) => Object.values(values)).join(''), 'hex'));
const attestOf = (changes: Partial<AttestOf<'quote'>> = {}): Buffer => encode(Attest, {
  magic: 0xff544347, type: 'quote', qualifiedSigner: Buffer.alloc(34, 1), extraData: NONCE, clockInfo: { clock: 5n, resetCount: 1, restartCount: 0, safe: true }, firmwareVersion: 7n,
  attested: { pcrSelect: [{ hash: 'sha1', pcrs: [0] }, { hash: 'sha256', pcrs: [0, 7] }], pcrDigest: digestOf(VALUES) }, ...changes,
});
const signed = (bytes: Buffer, hash: 'sha256' | 'sha384' = 'sha256'): Buffer => {
  const raw = sign(hash, bytes, { key: ak.privateKey, dsaEncoding: 'ieee-p1363' });
  return encode(Signature, { sigAlg: 'ecdsa', hash, signatureR: raw.subarray(0, 32), signatureS: raw.subarray(32) });
};
const QUOTE = attestOf();
const FILES = { quote: QUOTE, signature: signed(QUOTE), ak: AK, nonce: NONCE, pcrs: VALUES };
const codes = (changes: Partial<typeof FILES>): string | null => inspectQuote({ ...FILES, ...changes }).code;

describe('a quote', () => {
  it('that holds is said to, with what was checked', () => {
    expect(inspectQuote(FILES)).toMatchObject({ ok: true, code: null, checked: ['signature', 'type', 'nonce', 'pcrs', 'key'], attest: { type: 'quote', clock: '5', extraData: NONCE.toString('hex') } });
    expect(inspectQuote({ quote: QUOTE })).toMatchObject({ ok: true, checked: ['type'] });
  });

  it.each<[string, Partial<typeof FILES>, string]>([
    ['another nonce', { nonce: Buffer.from('another') }, 'quote.nonce'],
    ['a part of the nonce', { nonce: NONCE.subarray(0, -1) }, 'quote.nonce'],
    ['another PCR value', { pcrs: { ...VALUES, sha1: { '0': '12'.repeat(20) } } }, 'quote.pcr_digest'],
    ['a PCR more than was quoted', { pcrs: { ...VALUES, sha256: { ...VALUES.sha256, '1': '44'.repeat(32) } as never } }, 'quote.selection'],
    ['a PCR less', { pcrs: { ...VALUES, sha256: { '0': '22'.repeat(32) } as never } }, 'quote.selection'],
    ['a value of another length', { pcrs: { ...VALUES, sha1: { '0': '11'.repeat(19) } } }, 'quote.selection'],
    ['a signature with a bit changed', { signature: Buffer.from(FILES.signature.map((byte, i) => (i === 20 ? byte ^ 1 : byte))) }, 'quote.signature'],
    ['a signature by another hash than the key takes', { signature: signed(QUOTE, 'sha384') }, 'quote.scheme'],
    ['half a signature', { signature: FILES.signature.subarray(0, -1) }, 'quote.malformed'],
    ['a key that signs whatever it is given', { ak: areaOf(objectAttributes('fixedTPM', 'fixedParent', 'sensitiveDataOrigin', 'userWithAuth', 'sign')) }, 'enrol.ak_attributes'],
    ['a key that is none', { ak: Buffer.from('no key') }, 'quote.malformed'],
    ['another magic', { quote: Buffer.from(QUOTE.map((byte, i) => (i === 3 ? byte ^ 1 : byte))) }, 'quote.magic'],
    ['bytes behind it', { quote: Buffer.concat([QUOTE, Buffer.alloc(4)]) }, 'quote.malformed'],
  ])('with %s is refused by name', (_, changes, code) => {
    expect(codes(changes)).toBe(code);
  });

  it('that is an attestation of another kind is none', () => {
    const time = encode(Attest, { ...decode(Attest, QUOTE), type: 'time', attested: { time: { time: 1n, clockInfo: { clock: 1n, resetCount: 0, restartCount: 0, safe: true } }, firmwareVersion: 1n } } as Attest);
    expect(codes({ quote: time, signature: signed(time), pcrs: undefined as never })).toBe('quote.type');
  });

  it('may be in hex, in base64 or behind its size, and the key in PEM', () => {
    const size = Buffer.alloc(2);
    size.writeUInt16BE(QUOTE.length);
    const forms = [Buffer.from(QUOTE.toString('hex')), Buffer.from(`${QUOTE.toString('base64')}\n`), Buffer.concat([size, QUOTE])];
    for (const form of forms) expect(inspectQuote({ ...FILES, quote: meantBytes(form) }).ok).toBe(true);
    expect(inspectQuote({ ...FILES, ak: Buffer.from(ak.publicKey.export({ format: 'pem', type: 'spki' })) })).toMatchObject({ ok: true });
    expect(inspectQuote({ ...FILES, ak: ak.publicKey.export({ format: 'der', type: 'spki' }) })).toMatchObject({ ok: true });
  });
});

describe('structures', () => {
  it('are described with their Name and the names of their attributes', () => {
    expect(describePublic(readPublic(AK))).toMatchObject({ type: 'ecc', nameAlg: 'sha256', attributes: '00050472', name: nameOf(decode(Public, AK)).toString('hex'), set: expect.arrayContaining(['restricted', 'sign', 'noDA']) });
    expect(describeAttest(readAttestation(QUOTE).attest)).toMatchObject({ magic: 'ff544347', firmwareVersion: '0000000000000007', resetCount: 1, safe: true, pcrDigest: digestOf(VALUES).toString('hex') });
  });

  it('that are cut off say where', () => {
    expect(codeOf(() => readAttestation(QUOTE.subarray(0, 40)))).toBe('quote.malformed');
    expect(() => readAttestation(QUOTE.subarray(0, 40))).toThrow(/byte \d+/);
  });
});

describe('logs', () => {
  const entries: readonly MadeEntry[] = [{ path: 'boot_aggregate' }, { path: '/usr/bin/node', violation: true }, { path: '/after' }];

  it('a boot log has exactly the members that programs read', () => {
    const { report, log } = inspectEventLog(agileLog(GOOD_BOOT));
    expect(Object.keys(report)).toEqual(['events', 'startupLocality', 'trailingBytes', 'pcrs']);
    expect(report.pcrs['sha256']).toEqual(Object.fromEntries([...pcrsOf(GOOD_BOOT)].map(([pcr, value]) => [String(pcr), value.toString('hex')])));
    expect(supposedState(log).secureBoot).toMatchObject({ known: true, state: { enabled: true } });
  });

  it('an IMA list too, as text and in bytes', () => {
    const { report } = inspectIma(binaryList(entries));
    expect(inspectIma(asciiList(entries)).report).toEqual(report);
    expect(report).toMatchObject({ entries: 3, violations: 1, pcrs: { sha1: { '10': pcr10Of(entries, 'sha1').toString('hex') }, sha256: { '10': pcr10Of(entries).toString('hex') } } });
  });

  it('the entries that a quote covers are counted, with the other PCRs given and with padded banks', () => {
    const list = inspectIma(binaryList(entries)).entries;
    const quoteOf = (padded: boolean): AttestOf<'quote'> => {
      const values = [Buffer.alloc(32, 5), pcr10Of(entries.slice(0, 2)), pcr10Of(entries.slice(0, 2), 'sha384', padded)];
      return decode(Attest, attestOf({ attested: { pcrSelect: [{ hash: 'sha256', pcrs: [0, 10] }, { hash: 'sha384', pcrs: [10] }], pcrDigest: hashOf('sha256', Buffer.concat(values)) } })) as AttestOf<'quote'>;
    };
    const known = { sha256: { '0': '05'.repeat(32) } };
    expect([true, false].map((padded) => coveredBy(list, quoteOf(padded), known))).toEqual([2, 2]);
    expect(coveredBy(list, quoteOf(true), {})).toBeNull();
    expect(coveredBy(list.slice(0, 1), quoteOf(true), known)).toBeNull();
    expect(coveredBy(list, decode(Attest, QUOTE) as AttestOf<'quote'>, known)).toBeNull();
  });
});
