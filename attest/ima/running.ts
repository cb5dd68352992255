/**
 * Where a verifier stands in the IMA list of a running machine, so that a list of a hundred thousand entries costs its new ones alone.
 *
 * The adversary sends another boot's list, leaves entries out, or begins where it likes. What names a list is the value of its PCR: from zero, and nothing
 * but zero, a chain of hashes leads to it, so a standing that new entries continue to the quoted value is that machine's whole history since the PCR
 * was cleared, whatever suspend, hibernation or kexec lay between. A standing that belongs to something else leads nowhere, and nothing is trusted.
 */
import { z } from 'zod';
import type { Sha256 } from '../../src/base/bytes.js';
import { fault } from '../../src/base/fault.js';
import { count, hashOf, hex, parse, record, sha256Text, stringify } from '../../src/base/shape.js';
import { findingShape } from '../../src/objects/ear.js';
import { IMA_LIST_BYTES, type PlatformEvidence } from '../../src/objects/evidence.js';
import { type ImaPolicy, imaPolicy } from '../../src/objects/reference.js';
import { type ImaJudged, type ImaVerdict, NOTHING_JUDGED, judgeMore, verdictOf } from './judge.js';
import type { ImaEntry } from './list.js';
import { EXTENSIONS, type ImaHead, advanceHead, coverage, imaStart } from './replay.js';

export type ImaBank = PlatformEvidence['quote']['bank'];
/** The rules that files are judged by; undefined: a list is replayed, and nothing is said of its files. */
export type ImaRules = ImaPolicy | undefined;

export interface ImaStanding {
  /** Entries that were taken, and how many bytes of the kernel's list they are. */
  readonly n: number;
  readonly bytes: number;
  readonly bank: ImaBank;
  /** PCR 10 after them, for each way of extending it that is still possible: one, once a quote was met. */
  readonly heads: readonly ImaHead[];
  /** Hash of the rules; null without any. Under other rules the list is judged from its beginning. */
  readonly rules: Sha256 | null;
  readonly judged: ImaJudged;
}

/** Rules are hashed once: a policy stays the same object as long as it is in force. */
const hashed = new WeakMap<ImaPolicy, Sha256>();

function rulesHash(rules: ImaRules): Sha256 | null {
  if (rules === undefined) return null;
  const known = hashed.get(rules) ?? hashOf(imaPolicy, rules);
  hashed.set(rules, known);
  return known;
}

/** Before the first entry. */
export const imaBeginning = (bank: ImaBank, rules: ImaRules): ImaStanding =>
  ({ n: 0, bytes: 0, bank, heads: imaStart(bank), rules: rulesHash(rules), judged: NOTHING_JUDGED });

/** Does the standing belong to a quote of this bank, judged by these rules? Else the list is asked for from its beginning. */
export const imaFollows = (standing: ImaStanding, bank: ImaBank, rules: ImaRules): boolean => standing.bank === bank && standing.rules === rulesHash(rules);

/** The standing from which a part that begins at entry `from` goes on. @throws Fault ima.gap */
export function imaStandingAt(known: ImaStanding | null, from: number, bank: ImaBank, rules: ImaRules): ImaStanding {
  if (from === 0) return imaBeginning(bank, rules);
  if (known === null || known.n !== from) throw fault('ima.gap', { from, what: `${known?.n ?? 0} entries are known` });
  if (!imaFollows(known, bank, rules)) throw fault('ima.gap', { from, what: 'the entries before were judged by other rules' });
  return known;
}

/** All of these entries: those of a piece, before the quote that will cover them. @throws Fault ima.too_large, config.invalid */
export function takeEntries(standing: ImaStanding, entries: readonly ImaEntry[], rules: ImaRules): ImaStanding {
  return after(standing, entries, standing.heads.map((head) => advanceHead(head, entries, standing.bank)), rules);
}

/** As many of these entries as lead to the quoted value; null when none do. @throws Fault ima.too_large, config.invalid */
export function reach(standing: ImaStanding, entries: readonly ImaEntry[], quoted: Uint8Array, rules: ImaRules): ImaStanding | null {
  const met = coverage(entries, standing.bank, standing.heads, quoted);
  return met && after(standing, met.covered, [met.head], rules);
}

/** What an auditor could not be shown, a verifier does not take either: a bundle carries so much of a list. */
function after(standing: ImaStanding, entries: readonly ImaEntry[], heads: readonly ImaHead[], rules: ImaRules): ImaStanding {
  const bytes = entries.reduce((sum, { size }) => sum + size, standing.bytes);
  if (bytes > IMA_LIST_BYTES) throw fault('ima.too_large', { size: bytes, max: IMA_LIST_BYTES });
  const judged = rules === undefined ? standing.judged : judgeMore(standing.judged, entries, rules);
  return { ...standing, n: standing.n + entries.length, bytes, heads, judged };
}

export const imaVerdict = ({ judged }: ImaStanding, rules: ImaRules): ImaVerdict => (rules === undefined ? { findings: [], violations: judged.violations, sidecar: false } : verdictOf(judged, rules));

const standingShape = record({
  n: count,
  bytes: count,
  bank: z.enum(['sha256', 'sha384']),
  heads: z.array(record({ how: z.enum(EXTENSIONS), value: hex() })).min(1).max(EXTENSIONS.length),
  rules: sha256Text.nullable(),
  findings: z.array(findingShape),
  violations: count,
  sidecar: z.array(record({ path: z.string(), good: z.boolean() })),
});

/** As a store keeps it. */
export const encodeImaStanding = ({ heads, judged, ...rest }: ImaStanding): string => stringify(standingShape, {
  ...rest, heads: heads.map(({ how, value }) => ({ how, value: value.toString('hex') })),
  findings: [...judged.findings], violations: judged.violations, sidecar: [...judged.sidecar].map(([path, good]) => ({ path, good })),
});

/** @throws Fault intake.malformed, or a strict JSON fault */
export function decodeImaStanding(text: string): ImaStanding {
  const { heads, findings, violations, sidecar, ...rest } = parse(standingShape, text, 'IMA standing');
  return { ...rest, heads: heads.map(({ how, value }) => ({ how, value: Buffer.from(value, 'hex') })), judged: { findings, violations, sidecar: new Map(sidecar.map(({ path, good }) => [path, good])) } };
}
