/** Endorsement and attestation certificates of real TPMs, vTPMs and test beds, against what their collectors found in them. */
import { describe, expect, it } from 'vitest';
import { Fault } from '../../src/base/fault.js';
import { type Certificate, TPM_MAKERS, attestation, describeCertificate, endorsement, findPath, readCertificate, readCertificateFile, tpmPurpose } from '../../attest/x509/index.js';
import { builtinAuthorities } from '../../verifier/tpms.js';
import { VECTORS } from '../support/vectors.js';
import { type Vector, read, readJson, runVectors, vectorsOf } from './run.js';

interface Expected {
  expect?: string; ca?: boolean | null; key?: string; eku?: string[]; tpm?: { manufacturer: string; model: string; version: string } | null; certSha256?: string; trailingBytes?: number; headerBytes?: number;
  chain?: { sha256: string }[] | null; sigAlg?: string; criticalExtensions?: string[]; extensions?: string[];
}

function check({ file, expected, id }: Vector<Expected>): void {
  if (expected.expect?.startsWith('reject') === true) return expect(() => readCertificateFile(read(file))).toThrow('cannot be read at byte 0');
  const [certificate] = readCertificateFile(read(file));
  const { ca, key, eku, tpm, oddities } = describeCertificate(certificate);
  if (expected.certSha256 === undefined) return expect(certificate.fingerprint).toHaveLength(64);
  expect(certificate.fingerprint).toBe(expected.certSha256);
  expect({ ca, eku, tpm }).toEqual({ ca: expected.ca === true, eku: expected.eku, tpm: expected.tpm ?? null });
  if (id !== 'ek-hirs-ci') expect(key).toBe(expected.key === '? 1.2.840.113549.1.1.7' ? 'rsa:2048' : expected.key!.replace('rsassa_pss', 'rsa'));
  expect([...certificate.all.keys()].sort()).toEqual([...expected.extensions!].sort());
  expect([...certificate.all.values()].filter(({ critical }) => critical).map((each) => each.id).sort()).toEqual([...expected.criticalExtensions!].sort());
  expect(oddities.includes('nv-padding')).toBe((expected.trailingBytes ?? 0) > 0);
  expect(oddities.includes('nv-header')).toBe((expected.headerBytes ?? 0) > 0);
  expect(oddities.includes('signature-sha1')).toBe(expected.sigAlg === 'sha1_rsa');
}
runVectors('ek-cert', vectorsOf('ek-cert'), check);

const at = (day: string): number => Date.parse(day) / 1000;
interface Row { der: string }

describe.skipIf(VECTORS === null)('certificates of real TPMs, below the shipped roots', () => {
  const { roots, intermediates } = VECTORS === null ? { roots: [], intermediates: [] } : builtinAuthorities();
  const pool = VECTORS === null ? [] : readJson<Row[]>('loicsikidi+tpm-ca-certificates/derived/capool_intermediates.public.json').map(({ der }) => readCertificate(Buffer.from(der, 'base64')));

  const leadsTo = (leaf: Certificate, day: string, candidates: readonly Certificate[]): string => {
    const answer = findPath({ leaf, intermediates: candidates, anchors: roots, nowS: at(day), purpose: tpmPurpose(leaf), tolerated: TPM_MAKERS });
    return answer.ok ? answer.root.certificate.title : answer.finding.code;
  };
  const verdict = (file: string, day: string): string => {
    try {
      const [leaf] = readCertificateFile(read(file));
      return endorsement(leaf)?.message ?? leadsTo(leaf, day, intermediates);
    } catch (error) {
      if (error instanceof Fault) return error.code;
      throw error;
    }
  };

  it.each([
    ['STMicroelectronics ST33HTPHAHD8', 'immune-gmbh+guard-oss/derived/certs/ek-guard-philippEK.der', 'STM'],
    ['STMicroelectronics ST33HTPHAHB4, padded with FF in NV', 'keylime+keylime/derived/certs/ek-keylime-st_sha256_with_rsa.der', 'STM'],
    ['Infineon SLB 9670', 'keylime+keylime/derived/certs/ek-keylime-infineon-rsa.der', 'Infineon'],
    ['Google vTPM, P-256', 'google+go-tpm-tools/internal/test/certificates/uca_tpm_ecc_enc_cert.pem', 'tpm_ek_v1_cloud_host_root'],
  ])('%s chains to its maker’s root', (_, file, maker) => {
    expect(verdict(file, '2024-06-01')).toMatch(maker);
  });

  it.each([
    ['an expired one', 'immune-gmbh+guard-oss/derived/certs/ek-guard-philippEK.der', '2050-01-01', 'cert.expired'],
    ['one signed over SHA-1, with an OAEP key and a header of seven bytes', 'nsacyber+HIRS/HIRS_AttestationCA/src/test/resources/certificates/nuc-1/ek_cert_untouched.cer', '2020-01-01', 'cert.weak'],
    ['a signing certificate of a vTPM', 'google+go-tpm-tools/internal/test/certificates/uca_tpm_rsa_sign_cert.pem', '2024-06-01', 'does not allow the use'],
    ['a root', 'keylime+keylime/derived/certs/ek-keylime-nuvoton_ecdsa_sha256.der', '2024-06-01', 'it is one of an authority'],
    ['one whose key is none', 'nsacyber+HIRS/.ci/setup/certs/ek_cert.der', '2024-06-01', 'cert.weak'],
    ['an IDevID', 'keylime+keylime/derived/certs/ek-keylime-idevid.der', '2024-06-01', 'it is not for an endorsement key'],
    ['a file that is no certificate', 'nsacyber+HIRS/HIRS_AttestationCAPortal/src/test/resources/certificates/badCert.pem', '2024-06-01', 'cert.malformed'],
  ])('%s is refused', (_, file, day, what) => {
    expect(verdict(file, day)).toMatch(what);
  });

  it('an attestation key of Azure is known by its purpose, and nobody here vouches for its authority', () => {
    const [leaf] = readCertificateFile(read('agentrust-io+cmcp/tests/fixtures/hardware/azure-vtpm-2026-07-27/akcert_0x01C101D0.der'));
    expect([attestation(leaf), endorsement(leaf)?.code, leadsTo(leaf, '2026-08-01', [...intermediates, ...pool])]).toEqual([null, 'cert.purpose', 'cert.unchained']);
  });
});

const CERTS = ['ek-rsa', 'ek-ecc', 'ek-p384'].map((id) => ({ id: `swtpm ${id}`, file: `swtpm/certs/${id}.der` }));
runVectors('ek-cert', VECTORS === null ? [] : CERTS, ({ file }) => {
  const [leaf] = readCertificateFile(read(file));
  const [root, issuer] = ['root', 'issuer'].map((name) => readCertificateFile(read(`swtpm/certs/${name}-ca.pem`))[0]) as [Certificate, Certificate];
  const judged = (intermediates: Certificate[]) => findPath({ leaf, intermediates, anchors: [{ certificate: root, simulated: true, uses: ['ek'] }], nowS: leaf.notBefore, purpose: tpmPurpose(leaf), tolerated: TPM_MAKERS });
  expect([endorsement(leaf), judged([issuer]).ok, judged([]).ok]).toEqual([null, true, false]);
});
