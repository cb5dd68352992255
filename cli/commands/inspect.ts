/** `ari inspect`: what a file of an attestation says. A file holds the raw structure, or its hex or base64. */
import { openSync, closeSync, fstatSync, readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { z } from 'zod';
import type { Attest } from '@ari-sidecar/tpm2';
import {
  INSPECT_LIMIT, type PcrTable, coveredBy, describeAttest, describePublic, inspectEventLog, inspectEvidence, inspectIma, inspectQuote, meantBytes, readAttestation, readPublic, supposedState,
} from '../../attest/inspect/index.js';
import { typeName } from '../../attest/boot/index.js';
import { fault } from '../../src/base/fault.js';
import { type Json, parseJson } from '../../src/base/json.js';
import { decode } from '../../src/base/shape.js';
import { paint, show, table, word } from '../output.js';
import { inspectCert } from './inspect-cert.js';

interface Asked { json?: boolean }

/** @throws Fault config.unreadable, intake.too_large */
function bytesIn(file: string): Buffer {
  try {
    const handle = openSync(file, 'r');
    try {
      const { size } = fstatSync(handle);
      if (size > INSPECT_LIMIT) throw fault('intake.too_large', { size, max: INSPECT_LIMIT });
      return readFileSync(handle);
    } finally {
      closeSync(handle);
    }
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (error instanceof Error && typeof code === 'string' && /^E[A-Z]+$/.test(code)) throw fault('config.unreadable', { file, what: code });
    throw error;
  }
}

const meant = (file: string): Buffer => meantBytes(bytesIn(file));
const pcrTable = z.record(z.string(), z.record(z.string().regex(/^(?:[0-9]|1[0-9]|2[0-3])$/), z.string().regex(/^(?:[0-9a-f]{2})+$/i)));
const pcrsIn = (file: string): PcrTable => decode(pcrTable, parseJson(bytesIn(file)), 'PCR file');

function hexOption(text: string): Buffer {
  if (!/^(?:[0-9a-f]{2})*$/i.test(text)) throw fault('usage.wrong', { what: `${text} is no hex` });
  return Buffer.from(text, 'hex');
}

const isScalar = (value: Json): boolean => typeof value !== 'object' || value === null;
/** Nested values as indented lines, lists of plain values on one. */
function lines(value: Json, indent = ''): string[] {
  if (isScalar(value)) return [`${indent}${word(value)}`];
  return Object.entries(value as Record<string, Json>).flatMap(([key, each]) => {
    if (isScalar(each)) return [`${indent}${key}  ${word(each)}`];
    return Array.isArray(each) && each.every(isScalar) ? [`${indent}${key}  ${each.map(word).join(', ')}`] : [`${indent}${key}`, ...lines(each, `${indent}  `)];
  });
}

function quote(inspect: Command): void {
  inspect.command('quote <FILE>')
    .summary('a TPM quote (TPMS_ATTEST), and whether it holds')
    .description('Shows what the quote says, and makes every check that the given files allow. Exit status 1 when one fails.')
    .option('--signature <FILE>', 'the TPMT_SIGNATURE over it')
    .option('--ak <FILE>', 'the attestation key: TPM2B_PUBLIC, TPMT_PUBLIC, PEM or certificate')
    .option('--nonce <HEX>', 'the qualifying data that it must carry', hexOption)
    .option('--pcrs <FILE>', 'the PCR values that it must be of, JSON {"sha256":{"0":"hex"}}')
    .option('--json', 'print one JSON object')
    .action((file: string, options: { signature?: string; ak?: string; nonce?: Buffer; pcrs?: string } & Asked) => {
      const optional = (path: string | undefined): Buffer | undefined => (path === undefined ? undefined : meant(path));
      const { ok, code, what, checked, attest } = inspectQuote({
        quote: meant(file), signature: optional(options.signature), ak: optional(options.ak), nonce: options.nonce, pcrs: options.pcrs === undefined ? undefined : pcrsIn(options.pcrs),
      });
      show({ ok, code, attest }, options, () => [...lines(attest), '', ok ? paint('green', `holds: ${checked.join(', ')}`) : paint('red', `${code}: ${what}`)].join('\n'));
      process.exitCode = ok ? 0 : 1;
    });
}

const described = (name: string, summary: string, description: string, describe: (bytes: Buffer) => Json) => (inspect: Command): void => {
  inspect.command(`${name} <FILE>`).summary(summary).description(description).option('--json', 'print one JSON object').action((file: string, options: Asked) => {
    const value = describe(meant(file));
    show(value, options, () => lines(value).join('\n'));
  });
};
const attest = described('attest', 'any TPMS_ATTEST: quote, NV certification, creation, time ...', 'Shows what a TPM attested, field by field. Nothing is checked: see `ari inspect quote` for that.', (bytes) => describeAttest(readAttestation(bytes).attest));
const publicArea = described('public', 'a TPMT_PUBLIC or TPM2B_PUBLIC, and its Name', 'Shows a public area: what kind of key or object it is, which attributes are set, and the Name that follows from it.', (bytes) => describePublic(readPublic(bytes)));
const evidence = described('evidence', 'evidence of a payment, a platform part, or a bundle', 'Shows what evidence says, the TPM structures and logs in it read. Nothing is checked: `ari verify` does that for a bundle.', inspectEvidence);

function eventlog(inspect: Command): void {
  inspect.command('eventlog <FILE>')
    .summary("a firmware's boot log (binary_bios_measurements, CCEL), replayed")
    .description('Shows the events of a boot log, what the PCRs of each bank are if it is true, and what it then says of Secure Boot and the kernel. Only a quote\ncan say that it is true; what no digest covers is named.')
    .option('--json', 'print one JSON object')
    .action((file: string, options: Asked) => {
      const { log, report } = inspectEventLog(meant(file));
      show(report as unknown as Json, options, () => {
        const { secureBoot, commandLines, uki, untrusted, bank } = supposedState(log);
        const register = log.registers === 'mr' ? 'MR' : 'PCR';
        return [
          table(log.events.map(({ n, pcr, type, digests }) => [`${n}  ${register} ${pcr === 0xffffffff ? '-' : pcr}`, `${typeName(type)}  ${digests[bank]?.toString('hex') ?? ''}`])), '',
          `${report.events} events, ${report.trailingBytes} bytes behind them, startup locality ${report.startupLocality ?? 'not logged'}`,
          ...(log.registers === 'mr' ? ['a CC event log: registers of a confidential machine, no PCRs; no tier rests on it'] : []),
          `Secure Boot, if the ${register}s are so: ${secureBoot.known ? (secureBoot.state.enabled ? 'on' : 'off') : `not told (${secureBoot.why})`}`,
          ...commandLines.map(({ by, text, digest }) => `command line (${by}): ${text ?? digest}`), ...uki.map(({ name, digest }) => `UKI ${name}  ${digest}`), '',
          ...lines(report.pcrs as Json), '', 'not covered by any digest:', ...untrusted.map((each) => `  ${each}`),
        ].join('\n');
      });
    });
}

function ima(inspect: Command): void {
  inspect.command('ima <FILE>')
    .summary('an IMA measurement list (ascii or binary), replayed')
    .description('Replays a measurement list of Linux IMA. With a quote: how many of its entries the quote covers; the others are not attested. Exit status 1 when it\ncovers none of the list.')
    .option('--quote <FILE>', 'a quote of PCR 10: how many entries does it cover?')
    .option('--pcrs <FILE>', 'values of the other PCRs in that quote, JSON {"sha256":{"0":"hex"}}')
    .option('--eventlog <FILE>', 'the boot log, to compute them')
    .option('--json', 'print one JSON object')
    .action((file: string, options: { quote?: string; pcrs?: string; eventlog?: string } & Asked) => {
      const { entries, report } = inspectIma(meant(file));
      const known: PcrTable = options.pcrs !== undefined ? pcrsIn(options.pcrs) : options.eventlog !== undefined ? inspectEventLog(meant(options.eventlog)).report.pcrs : {};
      const quoted = options.quote === undefined ? undefined : coveredBy(entries, quoteIn(options.quote), known);
      show({ ...report, ...(quoted === undefined ? {} : { quoted }) } as unknown as Json, options, () => [
        `${report.entries} entries, ${report.violations} violations`, ...(quoted === undefined ? [] : [quoted === null ? 'the quote covers no part of this list' : `the quote covers the first ${quoted}`]), ...lines(report.pcrs as Json),
      ].join('\n'));
      process.exitCode = quoted === null ? 1 : 0;
    });
}

function quoteIn(file: string): Extract<Attest, { type: 'quote' }> {
  const { attest: value } = readAttestation(meant(file));
  if (value.type !== 'quote') throw fault('quote.type', { seen: value.type, wanted: 'quote' });
  return value;
}

export const inspect = (ari: Command): void => {
  const group = ari.command('inspect').summary('what a file says: quote, attest, public, eventlog, ima, cert, evidence').description('Prints what a file of an attestation says. For a malformed file: where and why, exit status 1.');
  for (const register of [quote, attest, publicArea, eventlog, ima, inspectCert, evidence]) register(group);
};
