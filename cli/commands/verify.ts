import { inflateSync } from 'node:zlib';
import type { Command } from 'commander';
import { type BundleReport, explainBundle } from '../../attest/bundle.js';
import type { Section } from '../../attest/bundle/explain.js';
import { type Standing, standings } from '../../attest/standing.js';
import { isVoucher, verifyVoucher } from '../../attest/voucher.js';
import { format } from '../../src/money.js';
import type { Inflate } from '../../src/objects/status.js';
import { parseTrust, type Trust } from '../../src/objects/trust.js';
import { readFile } from '../keys.js';
import { paint, show, table } from '../output.js';
import { list } from './options.js';

const said = ({ edges }: Pick<BundleReport, 'edges'>): string => table(edges.map(({ edge, ok, what }) => [`${ok ? paint('green', '✓') : paint('red', '✗')} ${edge}`, what ?? '']));

const inflate: Inflate = (bytes, maxOutputLength) => inflateSync(bytes, { maxOutputLength });

function standingRow({ of, id, standing, asOfS }: Standing): [string, string] {
  if (standing === null || asOfS === null) return [`${of} ${id}`, 'no list at hand says how it stands'];
  return [`${of} ${id}`, `${paint(standing === 'valid' ? 'green' : 'red', standing)} as of ${new Date(asOfS * 1000).toISOString()}`];
}

/** Something is said, and nothing but good. */
const stands = (all: readonly Standing[]): boolean => all.some(({ standing }) => standing !== null) && all.every(({ standing }) => standing === null || standing === 'valid');

const inWords = (sections: readonly Section[]): string => sections.map(({ title, lines }) => `${paint('bold', title)}\n${lines.map((line) => `  ${line}`).join('\n')}`).join('\n\n');

/** A voucher is what a payee holds of a payment that was made offline and is not decided yet. */
function verifyAsVoucher(text: Uint8Array | string, trust: Trust, options: { json?: boolean }): void {
  const report = verifyVoucher(text, trust, Math.floor(Date.now() / 1000));
  const { verdict } = report;
  const told = { ok: report.ok, first_broken: report.firstBroken, edges: report.edges.map(({ edge, ok, what }) => ({ edge, ok, what })), voucher: verdict && { payee: verdict.payee.id, amount: Number(verdict.amount.amount), currency: verdict.amount.currency, nth: verdict.nth, of: verdict.of, upload_until: verdict.uploadUntil, simulated: verdict.simulated } };
  const words = verdict === null ? paint('red', `edge ${report.firstBroken ?? '?'} does not hold`)
    : `${paint('green', 'a promise of')} ${format(verdict.amount)} to ${verdict.payee.id}, at most payment ${verdict.nth} of ${verdict.of} that were reserved; it has to reach the verifier before ${new Date(verdict.uploadUntil * 1000).toISOString()}${verdict.simulated ? '. The TPM is a simulated one: it proves nothing about a real machine' : ''}`;
  show(told, options, () => `${said(report)}\n\n${words}`);
  process.exitCode = report.ok ? 0 : 1;
}

export const verify = (ari: Command): void => {
  ari.command('verify <BUNDLE>')
    .summary('check everything about one payment, offline')
    .description("Checks a payment's bundle with nothing but the verifier's public keys: who authorised what, what was proven, what was decided and paid,\nand that the log holds it. Names the edge that fails. Exit status 1 when any does. Of a payment made offline the voucher that the payee was given is checked in the same way.")
    .requiredOption('--keys <FILE>', "the verifier's public keys (its /.well-known/jwks.json)")
    .option('--now', 'judge against the present instead of the time of the decision')
    .option('--explain', 'tell it in plain words')
    .option('--status <FILE>', 'a status list (https://VERIFIER/status/N): how mandate, carrier or device stands by it (repeatable)', list, [])
    .option('--json', 'print one JSON object')
    .action((file: string, options: { keys: string; now?: boolean; explain?: boolean; status: string[]; json?: boolean }) => {
      const [text, trust] = [readFile(file), parseTrust(readFile(options.keys))];
      if (isVoucher(text)) return verifyAsVoucher(text, trust, options);
      const { report, sections } = explainBundle(text, trust, options.now ? { nowMs: Date.now() } : {});
      const standing = report.ok && options.status.length > 0 ? standings(text, trust, options.status.map((each) => readFile(each).trim()), { inflate, nowS: Math.floor(Date.now() / 1000) }) : [];
      const result = { ok: report.ok, first_broken: report.firstBroken, edges: report.edges.map(({ edge, ok, what }) => ({ edge, ok, what: what ?? null })) };
      const told = { ...result, ...(options.status.length > 0 && { standing: standing.map(({ of, id, standing: now, asOfS }) => ({ of, id, standing: now, as_of: asOfS })) }), ...(options.explain && { explanation: sections.map(({ title, lines }) => ({ title, lines: [...lines] })) }) };
      const words = options.explain ? inWords(sections) : `${said(report)}\n\n${report.ok ? paint('green', 'every edge holds') : paint('red', `edge ${report.firstBroken ?? '?'} does not hold`)}`;
      show(told, options, () => [words, ...(standing.length > 0 ? ['', table(standing.map(standingRow))] : [])].join('\n'));
      process.exitCode = report.ok && (options.status.length === 0 || stands(standing)) ? 0 : 1;
    });
};
