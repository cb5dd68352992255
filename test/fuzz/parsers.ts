import { generateKeyPairSync, sign } from 'node:crypto';
import { Attest, CreationData, Public, Signature, WireError, decode, encode, templates } from '@ari-sidecar/tpm2';
import { parseBootLog, readBoot, readPe, replay, ukiDifference } from '../../attest/boot/index.js';
import { assertCertified } from '../../attest/enrol/index.js';
import { formatOf, judgeIma, parseIma } from '../../attest/ima/index.js';
import { inspectEvidence, inspectEventLog, inspectQuote, meantBytes, supposedState } from '../../attest/inspect/index.js';
import { readCertificate, readCertificateFile, readCrls } from '../../attest/x509/index.js';
import { builtinAuthorities } from '../../verifier/tpms.js';
import { Fault } from '../../src/base/fault.js';
import { parseJson } from '../../src/base/json.js';
import { assertSealed, payingOf, targetOf } from '../../src/protocols/index.js';
import { acpTerms } from '../../src/protocols/acp.js';
import { ucpTerms } from '../../src/protocols/ucp.js';
import type { Attestation } from '../../src/objects/evidence.js';
import { PARTS, peImage, sectionsOf, ukiBoot } from '../attest/support/uki.js';
import { GOOD_BOOT, SECURE_BOOT, agileLog, asciiList, binaryList, sha1Log, variable } from '../attest/support/logs.js';

/**
 * Everything that reads bytes of a stranger. `read` takes any bytes: it answers, or refuses with a Fault or a WireError. `again` gives the bytes back that the
 * answer stands for, where the structure is exact.
 */
export interface Parser { readonly name: string; readonly seeds: readonly Buffer[]; readonly read: (bytes: Buffer) => unknown; readonly again?: (bytes: Buffer) => Buffer }

const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const QUOTE = hex('ff54434780180022000ba1bf5b1aa83efc94f8badac497536c26c1533f5c2c7bbd9f37947fba72f98a1b000400010203000000000000 76fc000000060000000001201910230016363600000001000b03ff0000002000000000000000000000000000000000000000000000000000000000000000ff'.replaceAll(' ', ''));
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const raw = sign('sha256', QUOTE, { key: privateKey, dsaEncoding: 'ieee-p1363' });
const SIGNATURE = encode(Signature, { sigAlg: 'ecdsa', hash: 'sha256', signatureR: raw.subarray(0, 32), signatureS: raw.subarray(32) });
const { x, y } = publicKey.export({ format: 'jwk' });
const AK = encode(Public, { ...templates.akP256, unique: { x: Buffer.from(x!, 'base64url'), y: Buffer.from(y!, 'base64url') } });
const CREATION = encode(CreationData, { pcrSelect: [], pcrDigest: Buffer.alloc(32), locality: 1, parentNameAlg: 'sha256', parentName: Buffer.alloc(34), parentQualifiedName: Buffer.alloc(34), outsideInfo: Buffer.alloc(0) });

const ENTRIES = [{ path: 'boot_aggregate' }, { path: '/usr/bin/node', digest: 'aa'.repeat(32) }, { path: '/busy', violation: true }, { path: '/signed', template: 'ima-sig' as const, sig: hex('03020400000001000411223344') }, { path: '/v2', template: 'ima-ngv2' as const }];
const IMA_POLICY = { files: [{ path: '/usr/bin/node', digests: [`sha256:${'aa'.repeat(32)}`] }], signers: [publicKey.export({ format: 'der', type: 'spki' }).toString('base64url')], closed: true, maxViolations: 0, sidecar: ['/usr/bin/node'] };

const wire = <T>(name: string, codec: Parameters<typeof decode<T>>[0], ...seeds: Buffer[]): Parser =>
  ({ name, seeds, read: (bytes) => decode(codec, bytes), again: (bytes) => encode(codec, decode(codec, bytes) as Parameters<typeof encode<T>>[1]) });

const u32 = (value: number): Buffer => { const bytes = Buffer.alloc(4); bytes.writeUInt32LE(value); return bytes; };

const CERTIFICATES = builtinAuthorities().intermediates.slice(0, 3).map(({ der }) => der);

const CC_LOG = agileLog(SECURE_BOOT.map((event) => ({ ...event, pcr: 1 })), ['sha384']);
CC_LOG.writeUInt32LE(1, 0);
const CLOUD_KEY = { key: publicKey, scheme: { sigAlg: 'ecdsa', hash: 'sha256' }, publicArea: decode(Public, AK), sha256: '', provenance: { root: builtinAuthorities().roots[0]!, model: null } } as const;
const CERTIFIED = encode(Attest, {
  magic: 0xff544347, type: 'certify', qualifiedSigner: Buffer.alloc(34), extraData: Buffer.alloc(32), clockInfo: { clock: 0n, resetCount: 0, restartCount: 0, safe: true }, firmwareVersion: 0n,
  attested: { name: Buffer.alloc(34), qualifiedName: Buffer.alloc(34) },
});
/** Signed whatever it says, so that it is read. */
function statementOf(attest: Buffer): Attestation {
  const made = sign('sha256', attest, { key: privateKey, dsaEncoding: 'ieee-p1363' });
  const signature = encode(Signature, { sigAlg: 'ecdsa', hash: 'sha256', signatureR: made.subarray(0, 32), signatureS: made.subarray(32) });
  return { attest: attest.toString('base64url'), signature: signature.toString('base64url') };
}
const UKI = { bank: 'sha256' as const, sidecar: 'root' as const, images: [{ started: ['00'.repeat(32)], sections: sectionsOf(PARTS), commandLine: PARTS['.cmdline']! }] };

const SESSION = { id: 'c', status: 'ready_for_complete', currency: 'CNY', totals: [{ type: 'total', amount: 1 }], expires_at: '2026-01-01T00:00:00Z', ucp: { payment_handlers: { 'a.b': [{ id: 'h' }] } }, capabilities: { payment: { handlers: [{ id: 'h' }] } }, rate: 0.5 };
const SEALED = Buffer.from(JSON.stringify({ ...SESSION, ap2: { merchant_authorization: `${Buffer.from('{"alg":"ES256","kid":"k"}').toString('base64url')}..${Buffer.alloc(64, 1).toString('base64url')}` } }));
const X402 = targetOf('/x/x402/shop.example/report');
const REQUIREMENT = { scheme: 'exact', network: 'ari:a', amount: '1', asset: 'CNY', payTo: 'merchant' };
const OFFER = Buffer.from(JSON.stringify({ x402Version: 2, resource: { url: 'https://shop.example/report' }, accepts: [REQUIREMENT] })).toString('base64');

const OVER_TERMS = sign('sha256', Buffer.from('terms'), { key: privateKey, dsaEncoding: 'ieee-p1363' });

/** What a payee, or an agent, says over the protocols of others. */
const PROTOCOLS: readonly Parser[] = [
  { name: 'UCP checkout', seeds: [SEALED, Buffer.from(JSON.stringify(SESSION))], read: (body) => ucpTerms({ status: 200, body }, 'c', 'ucp') },
  { name: 'UCP profile', seeds: [Buffer.from(JSON.stringify({ signing_keys: [{ kid: 'k', kty: 'EC', crv: 'P-256', x, y }] }))], read: (profile) => assertSealed({ kid: 'k', payloadSha256: '', signed: 'terms', signature: OVER_TERMS }, profile) },
  { name: 'ACP session', seeds: [Buffer.from(JSON.stringify(SESSION))], read: (body) => acpTerms({ status: 200, body }, 'c') },
  { name: 'x402 payment', seeds: [Buffer.from(JSON.stringify({ x402Version: 2, accepted: REQUIREMENT, payload: {}, extensions: { 'payment-identifier': { info: { id: '0123456789abcdef' } } } }))], read: (bytes) => payingOf(X402, { method: 'GET', path: '/report', headers: [['payment-signature', bytes.toString('base64')]], body: Buffer.alloc(0) })?.terms({ status: 402, headers: [['payment-required', OFFER]], body: Buffer.alloc(0) }) },
  { name: 'target', seeds: [Buffer.from('/x/ucp/shop.example:8443/ucp/v1/checkout-sessions/a/complete'), Buffer.from('/x/x402/127.0.0.1/a%20b?c=%2F')], read: (bytes) => targetOf(bytes.toString('latin1')) },
];

export const PARSERS: readonly Parser[] = [
  ...PROTOCOLS,
  {
    name: 'boot log', seeds: [agileLog(GOOD_BOOT), sha1Log(GOOD_BOOT), Buffer.concat([agileLog(GOOD_BOOT.slice(0, 3)), Buffer.alloc(40, 0xff)])], read: parseBootLog,
    again: (bytes) => { const { trailingBytes } = parseBootLog(bytes); const events = bytes.subarray(0, bytes.length - trailingBytes); parseBootLog(events); return Buffer.concat([events, bytes.subarray(events.length)]); },
  },
  {
    name: 'boot state', seeds: [agileLog(GOOD_BOOT), agileLog([{ pcr: 7, type: 0x80000001, data: variable('db', Buffer.alloc(64, 1)) }, { pcr: 8, type: 13, data: Buffer.from('kernel_cmdline: /vmlinuz\0') }, { pcr: 11, type: 13, data: Buffer.from('.linux\0', 'utf16le') }])],
    read: (bytes) => { const log = parseBootLog(bytes); const bank = log.banks.includes('sha256') ? 'sha256' : 'sha1'; return readBoot(log, bank, replay(log, bank)); },
  },
  { name: 'CC event log', seeds: [CC_LOG], read: (bytes) => supposedState(inspectEventLog(bytes).log) },
  { name: 'unified image booted', seeds: [agileLog(ukiBoot())], read: (bytes) => { const log = parseBootLog(bytes); return ukiDifference({ log, bank: 'sha256', quoted: replay(log, 'sha256') }, UKI, undefined); } },
  { name: 'PE image', seeds: [peImage(PARTS).file, peImage(PARTS, Buffer.alloc(64, 9)).file], read: (bytes) => readPe(bytes).authenticode('sha256') },
  {
    name: 'IMA list in bytes', seeds: [binaryList(ENTRIES), Buffer.concat([u32(10), Buffer.alloc(20, 1), u32(3), Buffer.from('ima'), Buffer.alloc(20, 2), u32(5), Buffer.from('/init')])], read: (bytes) => parseIma('ima-binary', bytes),
    again: (bytes) => {
      const entries = parseIma('ima-binary', bytes);
      const size = (field: Buffer): Buffer => Buffer.concat([u32(field.length), field]);
      const all = Buffer.concat(entries.map(({ pcr, logged, template, data, fields }) => Buffer.concat([u32(pcr), logged, size(Buffer.from(template)), template === 'ima' ? Buffer.concat([fields!.d!, size(fields!.n!)]) : size(data)])));
      return Buffer.concat([all, bytes.subarray(all.length)]);
    },
  },
  { name: 'IMA list in text', seeds: [asciiList(ENTRIES)], read: (bytes) => parseIma('ima-ascii', bytes) },
  { name: 'IMA policy', seeds: [binaryList(ENTRIES), asciiList(ENTRIES)], read: (bytes) => judgeIma(parseIma(formatOf(bytes), bytes), IMA_POLICY) },
  wire('TPMS_ATTEST', Attest, QUOTE), wire('TPMT_PUBLIC', Public, AK), wire('TPMT_SIGNATURE', Signature, SIGNATURE), wire('TPMS_CREATION_DATA', CreationData, CREATION),
  { name: 'quote', seeds: [QUOTE], read: (quote) => inspectQuote({ quote, signature: SIGNATURE, ak: AK, nonce: Buffer.alloc(4), pcrs: { sha256: { 0: '00'.repeat(32) } } }) },
  { name: 'quote signature', seeds: [SIGNATURE], read: (signature) => inspectQuote({ quote: QUOTE, signature, ak: AK }) },
  { name: 'quote key', seeds: [AK, Buffer.from(publicKey.export({ format: 'pem', type: 'spki' }))], read: (ak) => inspectQuote({ quote: QUOTE, signature: SIGNATURE, ak }) },
  { name: 'file of text', seeds: [Buffer.from(QUOTE.toString('hex')), Buffer.from(QUOTE.toString('base64'))], read: meantBytes },
  { name: 'evidence', seeds: [Buffer.from('{"binding":{"v":"ari-platform-1"},"quote":{},"register":null,"counter":null,"boot":null,"ima":null}'), Buffer.from('{"eat_profile":"x","v":"ari-bundle-1"}')], read: inspectEvidence },
  { name: 'strict JSON', seeds: [Buffer.from('{"a":[1,2,{"b":"\\u00e9\\n"}],"c":null,"d":true,"e":9007199254740991}')], read: parseJson },
  { name: "a cloud key's statement", seeds: [CERTIFIED], read: (attest) => assertCertified(CLOUD_KEY, { akName: '00'.repeat(34), qualifiedSigner: '00'.repeat(34) }, Buffer.alloc(32), statementOf(attest)) },
  { name: 'certificate', seeds: CERTIFICATES, read: readCertificate },
  { name: 'file of certificates', seeds: CERTIFICATES, read: readCertificateFile },
  { name: 'revocation list', seeds: [], read: readCrls },
];

/** How a parser took bytes: an answer, a refusal, or what must not happen. */
export function outcomeOf({ read }: Parser, bytes: Buffer): 'answered' | 'refused' | { crash: unknown } {
  try {
    read(bytes);
    return 'answered';
  } catch (error) {
    return error instanceof WireError || (error instanceof Fault && error.code !== 'bug.internal') ? 'refused' : { crash: error };
  }
}
