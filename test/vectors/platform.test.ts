import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import { fromBER, Sequence } from 'asn1js';
import { expect } from 'vitest';
import { Attest, decode, encode } from '@ari-sidecar/tpm2';
import { parseJson } from '../../src/base/json.js';
import { type Vector, read, readJson, runVectors, skip, vectorsOf } from './run.js';

/** Attribute certificates of platforms (TCG Platform Certificate Profile): read as DER, to the last byte, nothing more. */
function certificate({ file, expected }: Vector<{ is?: string }>): void {
  if (file.endsWith('.json')) return skip('the decode of the certificate beside it');
  if (expected.is !== undefined && !file.endsWith('.pem')) return skip(expected.is);
  const bytes = read(file);
  const text = bytes.toString('latin1');
  const der = text.includes('-----BEGIN') ? Buffer.from(/-----BEGIN[^-]+-----([^-]+)/.exec(text)![1]!, 'base64') : bytes;
  const { result, offset } = fromBER(der);
  expect({ sequence: result instanceof Sequence, members: (result as Sequence).valueBlock.value.length, read: offset }).toEqual({ sequence: true, members: 3, read: der.length });
}
runVectors('platform-cert', vectorsOf('platform-cert'), certificate);

/* Virtual TPMs inside confidential machines. */

const HCL_HEADER = 'HCLA';
/** Azure: the SNP report's report_data is the hash of the runtime JSON, which names the AK. */
function hclReport(bytes: Buffer): void {
  expect(bytes.toString('latin1', 0, 4)).toBe(HCL_HEADER);
  const from = bytes.indexOf('{"keys"');
  const json = bytes.subarray(from, bytes.lastIndexOf('}') + 1);
  const { keys } = parseJson(json) as { keys: { kid: string; kty: string; n: string; e: string }[] };
  const ak = keys.find(({ kid }) => kid === 'HCLAkPub')!;
  expect(createPublicKey({ key: { kty: 'RSA', n: ak.n, e: ak.e }, format: 'jwk' }).asymmetricKeyDetails?.modulusLength).toBe(2048);
  expect(bytes.includes(createHash('sha256').update(json).digest())).toBe(true);
}

interface CocoQuote { message: number[] | string; signature: number[] | string }
const bytesOf = (value: number[] | string): Buffer => (typeof value === 'string' ? Buffer.from(value, 'hex') : Buffer.from(value));
function coco(file: string, reportData: string): void {
  const evidence = readJson<Record<string, unknown>>(file);
  const quote = (evidence['quote'] ?? evidence['tpm_quote']) as CocoQuote;
  const message = bytesOf(quote.message);
  const attest = decode(Attest, message);
  expect(encode(Attest, attest).equals(message)).toBe(true);
  expect(attest.extraData.toString('hex')).toBe(reportData);
}

function tee({ file, id, expected }: Vector<{ reportData?: string; expect?: string }>): void {
  const bytes = read(file);
  if (id === 'hcl-report-snp') return hclReport(bytes);
  if (expected.reportData !== undefined) return coco(file, expected.reportData);
  if (file.endsWith('.der')) {
    expect(new X509Certificate(bytes).publicKey.asymmetricKeyType).toBe('ec');
    return skip('a certificate of an SNP processor was read; its chain is that of tier T4, which is named and not reachable yet');
  }
  expect(bytes.length).toBe(1184);
  return skip('a report of an SNP processor: tier T4, which is named and not reachable yet');
}
runVectors('tee-vtpm', vectorsOf('tee-vtpm'), tee);
