/** `ari inspect cert`: what a certificate says, and whether it leads to a root. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { type Certificate, type Description, describeCertificate, findPath, readCertificateFile, readPem, toleranceFor, tpmPurpose } from '../../attest/x509/index.js';
import { fault } from '../../src/base/fault.js';
import { builtinAuthorities } from '../../verifier/tpms.js';
import { paint, show, table } from '../output.js';

interface Chain { ok: boolean; code: string | null }
interface Options { roots?: string; json?: boolean }

function bytesOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw fault('config.unreadable', { file, what: (cause as NodeJS.ErrnoException).code ?? 'error' });
  }
}

/**
 * Whether the first certificate leads to one of the roots by what else is in its file, or by the shipped intermediates. A certificate of a TPM may have the
 * oddities of its makers, and each authority above it must be for the same purpose; one of hosts or mailboxes is judged as RFC 5280 has it.
 */
function chainOf([leaf, ...sent]: readonly [Certificate, ...Certificate[]], file: string): Chain & { what: string } {
  const anchors = rootsIn(file).map((certificate) => ({ certificate, simulated: false, uses: [] }));
  const answer = findPath({
    leaf, anchors, intermediates: [...sent, ...builtinAuthorities().intermediates], nowS: Math.floor(Date.now() / 1000), purpose: tpmPurpose(leaf), tolerated: toleranceFor(leaf),
  });
  return answer.ok ? { ok: true, code: null, what: `leads to ${answer.root.certificate.title}` } : { ok: false, code: answer.finding.code, what: answer.finding.message };
}

const rootsIn = (file: string): readonly Certificate[] => {
  const bytes = bytesOf(file);
  return bytes.includes('-----BEGIN') ? readPem(bytes.toString('latin1')) : readCertificateFile(bytes);
};

const said = ({ subject, issuer, key, eku, ca, tpm, oddities }: Description): string => table([
  ['subject', subject || '(empty)'], ['issuer', issuer], ['key', key], ['purposes', eku.join(', ') || '(none named)'], ['authority', ca ? 'yes' : 'no'],
  ['TPM', tpm === null ? '(none named)' : `${tpm.manufacturer ?? '?'}, model ${tpm.model ?? '?'}, version ${tpm.version ?? '?'}`], ['oddities', oddities.join(', ') || '(none)'],
]);

export const inspectCert = (group: Command): void => {
  group.command('cert <FILE>')
    .summary('a certificate, of an endorsement key above all')
    .description('Shows what a certificate says: PEM, DER, hex, or the contents of an NV index with its padding. Further certificates in a PEM file are taken for its chain.\nFor a file that is none it says where and why. Exit status 1 then, and when the chain does not hold.')
    .option('--roots <FILE>', 'also check the chain to one of these roots, at this time')
    .option('--json', 'print one JSON object')
    .action((file: string, options: Options) => {
      const certificates = readCertificateFile(bytesOf(file));
      const description = describeCertificate(certificates[0]);
      const chain = options.roots === undefined ? null : chainOf(certificates, options.roots);
      show({ ...description, ...(chain && { chain: { ok: chain.ok, code: chain.code } }) }, options, () =>
        [said(description), ...(chain === null ? [] : ['', paint(chain.ok ? 'green' : 'red', chain.ok ? `the chain holds: ${chain.what}` : `the chain does not hold: ${chain.what} (${chain.code})`)])].join('\n'));
      process.exitCode = chain === null || chain.ok ? 0 : 1;
    });
};
