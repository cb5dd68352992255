/**
 * Whether one set of carrier rules is at least as tight as another: nothing that the tighter rules permit without the user's word was refused before.
 * The carrier issuer may tighten rules by itself; only the user loosens them. What cannot be compared (hours in another time zone) is not tighter.
 */
import type { Sha256 } from '../base/bytes.js';
import { canonical } from '../base/json.js';
import { TIERS, atLeast } from '../names.js';
import { type Carrier, type CarrierRules, type PayeeRule, listed, rulesHash } from '../objects/carrier.js';

type Ruled = Pick<Carrier, 'currency' | 'rules' | 'agents'>;
type Hours = NonNullable<CarrierRules['hours']>;
type Comparisons = { readonly [K in Exclude<keyof CarrierRules, 'salt'>]: (next: CarrierRules, before: CarrierRules) => boolean };

const within = <T>(next: readonly T[], before: readonly T[]): boolean => next.every((one) => before.includes(one));

/** The parts of a day, from each up to, not including, its end. */
const partsOf = ({ from, to }: Hours): [string, string][] => (from <= to ? [[from, to]] : [[from, '24:00'], ['00:00', to]]).filter(([start = '', end = '']) => start < end) as [string, string][];

function hoursWithin(next: CarrierRules['hours'], before: CarrierRules['hours']): boolean {
  if (before === null) return true;
  if (next === null || next.tz !== before.tz) return false;
  return partsOf(next).every(([from, to]) => partsOf(before).some(([start, end]) => start <= from && to <= end));
}

function offlineWithin(next: CarrierRules['offline'], before: CarrierRules['offline']): boolean {
  if (next === null) return true;
  return before !== null && next.maxCount <= before.maxCount && next.maxTotal <= before.maxTotal;
}

const sameEntry = (a: PayeeRule | undefined, b: PayeeRule | undefined): boolean => a !== undefined && b !== undefined && canonical(a) === canonical(b);

/** One line for every rule: a rule that is added to the carrier does not compile before it is compared here. */
const TIGHTER: Comparisons = {
  perPaymentMax: (next, before) => next.perPaymentMax <= before.perPaymentMax,
  totalMax: (next, before) => next.totalMax <= before.totalMax,
  windows: (next, before) => before.windows.every((old) => next.windows.some(({ period, max, count }) => period === old.period && max <= old.max && count <= old.count)),
  scenarios: (next, before) => within(next.scenarios, before.scenarios),
  /** By what is found for a payee: the first of two entries counts. */
  payees: (next, before) => next.payees.every((one) => sameEntry(listed(before, one), listed(next, one))),
  notBefore: (next, before) => next.notBefore >= before.notBefore,
  notAfter: (next, before) => next.notAfter <= before.notAfter,
  hours: (next, before) => hoursWithin(next.hours, before.hours),
  levels: (next, before) => within(next.levels, before.levels),
  minTier: (next, before) => atLeast(TIERS, next.minTier, before.minTier),
  confirmAbove: (next, before) => next.confirmAbove <= before.confirmAbove,
  offline: (next, before) => offlineWithin(next.offline, before.offline),
};

/** The rules of `next` that are looser than those of `before`; none: it is at least as tight. */
export function looser(next: Ruled, before: Ruled): string[] {
  const rules = Object.entries(TIGHTER).filter(([, tighter]) => !tighter(next.rules, before.rules)).map(([name]) => name);
  return [...rules, ...(within(next.agents, before.agents) ? [] : ['agents']), ...(next.currency === before.currency ? [] : ['currency'])];
}

export const tighter = (next: Ruled, before: Ruled): boolean => looser(next, before).length === 0;

/** One revision right after another of the same user's carrier, and no looser. */
const tightens = (next: Carrier, before: Carrier): boolean => next.jti === before.jti && next.sub === before.sub && next.rev === before.rev + 1 && tighter(next, before);

/**
 * Whether the carrier still binds as the user knew it when she signed a mandate for its rules: they are its rules, or each revision since then was tighter.
 * @param revisions from the one with the rules that she knew up to, without, the present one, oldest first. One that is missing, foreign or looser breaks the line.
 */
export function asKnown(rulesSha256: Sha256, carrier: Carrier, revisions: readonly Carrier[]): boolean {
  const line = [...revisions, carrier];
  return line.every((one, i) => { const before = line[i - 1]; return before === undefined ? rulesHash(one.rules) === rulesSha256 : tightens(one, before); });
}
