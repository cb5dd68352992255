/** Authorities of TPM makers: each is read, and leads to the root that others found for it. */
import { expect } from 'vitest';
import { findPath, readCertificate, readPem } from '../../attest/x509/index.js';
import { isIssuedBy } from '../../attest/x509/certificate.js';
import { TPM_MAKERS } from '../../attest/x509/oddities.js';
import { VECTORS } from '../support/vectors.js';
import { builtinAuthorities } from '../../verifier/tpms.js';
import { read, readJson, runVectors, skip, vectorsOf } from './run.js';

interface Authority { id: string; sha256: string; der: string; rootSha256: string | null; sigAlg: string; ca: boolean }
const FOLDER = 'loicsikidi+tpm-ca-certificates';
const pool = (name: string): Authority[] => (VECTORS === null ? [] : readJson<Authority[]>(`${FOLDER}/derived/capool_${name}.public.json`).map((row) => ({ ...row, id: row.sha256.slice(0, 16) })));
const [roots, intermediates] = [pool('roots'), pool('intermediates')];
const anchors = [...roots.map(({ der }) => readCertificate(Buffer.from(der, 'base64'))), ...(VECTORS === null ? [] : readPem(read(`${FOLDER}/MIRROR.tpm-ca-certificates.pem`).toString()))]
  .map((certificate) => ({ certificate, simulated: false, uses: [] }));
const candidates = intermediates.map(({ der }) => readCertificate(Buffer.from(der, 'base64')));

function check({ der, sha256, rootSha256, sigAlg }: Authority): void {
  const leaf = readCertificate(Buffer.from(der, 'base64'));
  expect(leaf.fingerprint).toBe(sha256);
  expect(leaf.basic?.ca).toBe(true);
  if (rootSha256 !== null && !anchors.some(({ certificate }) => certificate.fingerprint === rootSha256)) return skip('its root is not among these data');
  if (rootSha256 === null) return skip('no root is known for it');
  const pinned = anchors.some(({ certificate }) => certificate.fingerprint === sha256);
  const nowS = Math.min(leaf.notAfter, Date.parse('2024-06-01') / 1000);
  const answer = findPath({ leaf, intermediates: candidates, anchors, nowS: Math.max(nowS, leaf.notBefore), purpose: null, tolerated: TPM_MAKERS });
  if (answer.ok) return;
  if (sigAlg === 'sha1_rsa' && !pinned) return expect(answer.finding.code).toBe('cert.weak');
  if (!anchors.some(({ certificate }) => isIssuedBy(leaf, certificate)) && !candidates.some((each) => isIssuedBy(leaf, each))) return skip('its issuer is not among these data');
  expect(answer.finding.message).toBe('');
}
runVectors('tpm-ca', [...roots, ...intermediates], check);

runVectors('tpm-ca', vectorsOf('tpm-ca').filter(({ file }) => file.endsWith('.pem') || file.endsWith('.yaml')), ({ file }) => {
  const shipped = new Set(builtinAuthorities().roots.map(({ certificate }) => certificate.fingerprint));
  if (file.endsWith('.pem')) {
    for (const { fingerprint, title } of readPem(read(file).toString())) expect(shipped.has(fingerprint), title).toBe(true);
    return;
  }
  for (const [, fingerprint] of read(file).toString().matchAll(/sha256: "([0-9A-F:]+)"/g)) expect(shipped.has(fingerprint!.replaceAll(':', '').toLowerCase()), fingerprint).toBe(true);
});
