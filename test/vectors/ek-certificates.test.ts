import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { Fault } from '../../src/base/fault.js';
import { type Certificate, parseCertificate } from '../../attest/enrol/certificate.js';
import { checkChain } from '../../attest/enrol/chain.js';
import { VECTORS, vectorTitle } from '../support/vectors.js';

const read = (path: string): Buffer => readFileSync(join(VECTORS!, path));
interface Authority { sha256: string; der: string }
const pool = (name: string): Certificate[] => (JSON.parse(read(`loicsikidi+tpm-ca-certificates/derived/capool_${name}.public.json`).toString()) as Authority[]).flatMap(({ der }) => {
  try {
    return [parseCertificate(Buffer.from(der, 'base64'))];
  } catch (error) {
    if (error instanceof Fault) return [];
    throw error;
  }
});
const at = (day: string): number => Date.parse(day) / 1000;
const der = (file: string): Buffer => {
  const bytes = read(file);
  return bytes.toString('latin1').includes('-----BEGIN') ? Buffer.from(bytes.toString('latin1').replace(/-----[^-]+-----/g, ''), 'base64') : bytes;
};

describe.skipIf(VECTORS === null)(vectorTitle('certificates of real TPMs'), () => {
  const roots = VECTORS === null ? [] : pool('roots').filter(({ subject }) => !subject.includes('EXAMPLE')).map((certificate) => ({ certificate, simulated: false }));
  const intermediates = VECTORS === null ? [] : pool('intermediates');
  const verdict = (file: string, day: string): string => {
    try {
      return checkChain(parseCertificate(der(file)), intermediates, roots, at(day)).certificate.subject;
    } catch (error) {
      if (error instanceof Fault) return error.message;
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
    ['an expired one', 'immune-gmbh+guard-oss/derived/certs/ek-guard-philippEK.der', '2050-01-01', 'not valid at this time'],
    ['one signed over SHA-1, with an OAEP key and a header of seven bytes', 'nsacyber+HIRS/HIRS_AttestationCA/src/test/resources/certificates/nuc-1/ek_cert_untouched.cer', '2020-01-01', 'signed over SHA-1'],
    ['a signing certificate of a vTPM', 'google+go-tpm-tools/internal/test/certificates/uca_tpm_rsa_sign_cert.pem', '2024-06-01', 'does not allow the use'],
    ['a root', 'keylime+keylime/derived/certs/ek-keylime-nuvoton_ecdsa_sha256.der', '2024-06-01', 'is one of an authority'],
    ['one of an unknown CA', 'nsacyber+HIRS/.ci/setup/certs/ek_cert.der', '2024-06-01', 'no path leads to a pinned root'],
    ['an IDevID', 'keylime+keylime/derived/certs/ek-keylime-idevid.der', '2024-06-01', 'is for another purpose'],
    ['a file that is no certificate', 'nsacyber+HIRS/HIRS_AttestationCAPortal/src/test/resources/certificates/badCert.pem', '2024-06-01', 'the EK certificate does not chain'],
  ])('%s is refused', (_, file, day, what) => {
    expect(verdict(file, day)).toMatch(what);
  });
});
