/**
 * The known CVEs and attacks on TPM attestation, by name. Each has a regression test that begins with its name, or stands in {@link OUTSIDE} with the reason
 * why it cannot touch this project; `rows.test.ts` counts them.
 */
import { it } from 'vitest';

export const CVES = [
  'CVE-2021-3406', 'CVE-2021-43310', 'GHSA-2m39', 'CVE-2022-1053', 'CVE-2022-3500', 'CVE-2022-23948', 'CVE-2022-23949', 'CVE-2022-23950', 'CVE-2022-23951', 'CVE-2022-23952',
  'CVE-2023-3674', 'CVE-2023-38200', 'CVE-2023-38201', 'CVE-2025-13609', 'CVE-2026-1709', 'CVE-2026-6420',
  'CVE-2022-0317', 'CVE-2024-29038', 'CVE-2024-29039', 'GHSA-gwfg-w3jr-xh66', 'CVE-2024-29040',
  'CVE-2021-3565', 'CVE-2023-22745', 'CVE-2017-7524',
  'CVE-2021-27098', 'CVE-2021-27099', 'SPIRE aws_iid', 'SPIRE azure_imds', 'SPIRE join token', 'SPIRE x509pop', 'SPIRE http_challenge', 'SPIRE TLS resumption', 'SPIRE JWT without exp',
  'CVE-2021-42299', 'CVE-2017-15361', 'CVE-2019-11090', 'CVE-2019-16863', 'CVE-2023-1017', 'CVE-2023-1018', 'CVE-2025-2884', 'CVE-2018-6622', 'faulTPM',
] as const;

export const ATTACKS = [
  'magic', 'NV_Certify as a quote', 'non-restricted AK', 'restricted AK signing', 'replay', 'splice', 'PCRs outside the selection', 'PCR bank carte blanche', 'PCR 16/23 reset by a local process',
  'NV redefine', 'uninitialised NV', 'counter rollback', 'clock/reset games', 'cuckoo/relay', 'TPM interposer', 'TPM reset line', 'S3 resume', 'TOCTOU measure->exec', 'interpreter scripts',
  'LD_PRELOAD', 'NODE_OPTIONS', 'ptrace', 'SIGUSR1', 'IMA subversion', 'event-log retyping', 'nonce size', 'verifier oracle', 'DoS by giant inputs', 'revocation suppression',
] as const;

export type Row = (typeof CVES)[number] | (typeof ATTACKS)[number];

/** What cannot touch this project, and why. */
export const OUTSIDE: Partial<Record<Row, string>> = {
  'CVE-2022-23948': 'no secret is kept on a file system that must be a tmpfs: keys are sealed by the TPM',
  'CVE-2022-23950': 'no fixed name below /tmp: the sidecar and the verifier write to their own folders only, whose modes CVE-2022-23952 tests',
  'CVE-2021-3565': 'no key is imported into a TPM: attestation keys are created inside and fixed there (see CVE-2021-3406 and non-restricted AK)',
  'SPIRE TLS resumption': 'a device is not authenticated by TLS but by what its TPM signs on each connection anew (see CVE-2026-6420)',
  faulTPM: 'needs hours with the opened machine; SECURITY.md excludes it, and carrier limits by tier bound what it earns',
  'TPM interposer': 'needs the bus of the TPM; SECURITY.md excludes it. What it does by the reset line is tested below that name',
};

/** The regression test of a row. */
export const row = (name: Row, what: string, run: () => unknown): void => it(`${name}: ${what}`, run as () => Promise<void>);
