import type { Command } from 'commander';
import { type BundleReport, verifyBundle } from '../../attest/bundle.js';
import { parseTrust } from '../../src/objects/trust.js';
import { readFile } from '../keys.js';
import { paint, show, table } from '../output.js';

const said = ({ edges }: BundleReport): string => table(edges.map(({ edge, ok, what }) => [`${ok ? paint('green', '✓') : paint('red', '✗')} ${edge}`, what ?? '']));

export const verify = (ari: Command): void => {
  ari.command('verify <BUNDLE>')
    .summary('check everything about one payment, offline')
    .description("Checks a payment's bundle with nothing but the verifier's public keys: who authorised what, what was proven, what was decided and paid,\nand that the log holds it. Names the edge that fails. Exit status 1 when any does.")
    .requiredOption('--keys <FILE>', "the verifier's public keys (its /.well-known/jwks.json)")
    .option('--now', 'judge against the present instead of the time of the decision')
    .option('--json', 'print one JSON object')
    .action((file: string, options: { keys: string; now?: boolean; json?: boolean }) => {
      const report = verifyBundle(readFile(file), parseTrust(readFile(options.keys)), options.now ? { nowMs: Date.now() } : {});
      show({ ok: report.ok, first_broken: report.firstBroken, edges: report.edges.map(({ edge, ok, what }) => ({ edge, ok, what: what ?? null })) }, options, () =>
        [said(report), '', report.ok ? paint('green', 'every edge holds') : paint('red', `edge ${report.firstBroken ?? '?'} does not hold`)].join('\n'));
      process.exitCode = report.ok ? 0 : 1;
    });
};
