/** Carrier rules on the command line: what `ari carrier open` and `ari carrier rules` share. */
import type { Command } from 'commander';
import { LEVELS, type Level, TIERS, type Tier } from '../src/names.js';
import { type CarrierRules } from '../src/objects/carrier.js';
import { fault } from '../src/base/fault.js';
import { duration, list, minorUnits } from './commands/options.js';

export interface RuleOptions { perPayment: string; total: string; payee: string[]; window: string[]; hours?: string; offline?: string; level: string[]; minTier: string; confirmAbove: string; agent: string[]; valid: string }

export const ruleOptions = (command: Command): Command => command
  .requiredOption('--per-payment <N>', 'most for one payment')
  .requiredOption('--total <N>', 'most over its life')
  .option('--payee <ID=SCENARIO[@ORIGIN]>', 'a permitted payee and what it sells (repeatable)', list, [])
  .option('--window <PERIOD=MAX/COUNT>', 'most in a PT1H, P1D, P7D or P30D: amount and payments (repeatable)', list, [])
  .option('--hours <FROM-TO@ZONE>', 'when it pays, e.g. 08:00-20:00@Asia/Shanghai; without it at any hour')
  .option('--offline <MAX/COUNT>', 'what may be paid without network, reserved ahead: amount and payments; without it nothing')
  .option('--level <LEVEL>', 'a permitted level, L0 to L5 (repeatable)', list, [])
  .option('--min-tier <TIER>', 'least proof of the device', 'T2')
  .option('--confirm-above <N>', 'from this amount on the user confirms', '0')
  .option('--agent <ID>', 'an agent that may use it (repeatable)', list, [])
  .option('--valid <DURATION>', 'how long it lives', '30d');

function oneOf<T extends string>(set: readonly T[], word: string, what: string): T {
  const found = set.find((member) => member === word);
  if (found === undefined) throw fault('usage.wrong', { what: `${word} is no ${what}; choose ${set.join(', ')}` });
  return found;
}

/** `ID=SCENARIO` or `ID=SCENARIO@ORIGIN`. */
function payeeOf(text: string): CarrierRules['payees'][number] {
  const [, id, scenario, origin] = /^([^=]+)=([^@]+)(?:@(.+))?$/.exec(text) ?? [];
  if (id === undefined || scenario === undefined) throw fault('usage.wrong', { what: `${text} is no payee; write ID=SCENARIO or ID=SCENARIO@ORIGIN` });
  return { id, scenario, origin: origin ?? null };
}

const PERIODS = ['PT1H', 'P1D', 'P7D', 'P30D'] as const;

function windowOf(text: string): CarrierRules['windows'][number] {
  const [, period = '', max = '', count = ''] = /^(\w+)=(\d+)\/(\d{1,6})$/.exec(text) ?? [];
  if (period === '') throw fault('usage.wrong', { what: `${text} is no window; write PERIOD=MAX/COUNT, e.g. P1D=60000/10` });
  return { period: oneOf(PERIODS, period, 'period'), max: minorUnits(max), count: Number(count) };
}

function hoursOf(text: string): CarrierRules['hours'] {
  const [, from, to, tz] = /^([0-2]\d:[0-5]\d)-([0-2]\d:[0-5]\d)@(\S{1,64})$/.exec(text) ?? [];
  if (from === undefined || to === undefined || tz === undefined) throw fault('usage.wrong', { what: `${text} are no hours; write FROM-TO@ZONE, e.g. 08:00-20:00@Asia/Shanghai` });
  return { from, to, tz };
}

function offlineOf(text: string): CarrierRules['offline'] {
  const [, max, count] = /^(\d+)\/(\d{1,6})$/.exec(text) ?? [];
  if (max === undefined || count === undefined) throw fault('usage.wrong', { what: `${text} allows nothing offline; write MAX/COUNT, e.g. 10000/3` });
  return { maxTotal: minorUnits(max), maxCount: Number(count) };
}

export function rulesOf(options: RuleOptions): Omit<CarrierRules, 'salt'> {
  const now = Math.floor(Date.now() / 1000);
  const payees = options.payee.map(payeeOf);
  return {
    perPaymentMax: minorUnits(options.perPayment), totalMax: minorUnits(options.total), windows: options.window.map(windowOf), scenarios: [...new Set(payees.map(({ scenario }) => scenario))], payees,
    notBefore: now, notAfter: now + duration(options.valid), hours: options.hours === undefined ? null : hoursOf(options.hours), levels: options.level.map((level) => oneOf<Level>(LEVELS, level, 'level')),
    minTier: oneOf<Tier>(TIERS, options.minTier, 'tier'), confirmAbove: minorUnits(options.confirmAbove), offline: options.offline === undefined ? null : offlineOf(options.offline),
  };
}
