import type { Command } from 'commander';
import { type BundleReport, explainBundle } from '../../attest/bundle.js';
import type { Section } from '../../attest/bundle/explain.js';
import { parseTrust } from '../../src/objects/trust.js';
import { readFile } from '../keys.js';
import { paint, show, table } from '../output.js';

const said = ({ edges }: BundleReport): string => table(edges.map(({ edge, ok, what }) => [`${ok ? paint('green', '✓') : paint('red', '✗')} ${edge}`, what ?? '']));

const inWords = (sections: readonly Section[]): string => sections.map(({ title, lines }) => `${paint('bold', title)}\n${lines.map((line) => `  ${line}`).join('\n')}`).join('\n\n');

export const verify = (ari: Command): void => {
  ari.command('verify <BUNDLE>')
    .summary('check everything about one payment, offline')
    .description("Checks a payment's bundle with nothing but the verifier's public keys: who authorised what, what was proven, what was decided and paid,\nand that the log holds it. Names the edge that fails. Exit status 1 when any does.")
    .requiredOption('--keys <FILE>', "the verifier's public keys (its /.well-known/jwks.json)")
    .option('--now', 'judge against the present instead of the time of the decision')
    .option('--explain', 'tell it in plain words')
    .option('--json', 'print one JSON object')
    .action((file: string, options: { keys: string; now?: boolean; explain?: boolean; json?: boolean }) => {
      const { report, sections } = explainBundle(readFile(file), parseTrust(readFile(options.keys)), options.now ? { nowMs: Date.now() } : {});
      const result = { ok: report.ok, first_broken: report.firstBroken, edges: report.edges.map(({ edge, ok, what }) => ({ edge, ok, what: what ?? null })) };
      const told = { ...result, ...(options.explain && { explanation: sections.map(({ title, lines }) => ({ title, lines: [...lines] })) }) };
      show(told, options, () => (options.explain ? inWords(sections) : `${said(report)}\n\n${report.ok ? paint('green', 'every edge holds') : paint('red', `edge ${report.firstBroken ?? '?'} does not hold`)}`));
      process.exitCode = report.ok ? 0 : 1;
    });
};
