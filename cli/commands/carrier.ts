import type { Command } from 'commander';
import { LEVELS, type Level, TIERS, type Tier } from '../../src/names.js';
import type { CarrierRules } from '../../src/objects/carrier.js';
import { fault } from '../../src/base/fault.js';
import { format } from '../../src/money.js';
import { carrierOf, fundCarrier, order, putCarrier, showCarrier } from '../actions.js';
import { paint, show, table, word } from '../output.js';
import { adminApi, apiOption, caOption, duration, keyOption, list, minorUnits, type Remote, tokenOption, userOf, userOption } from './options.js';

interface OpenOptions extends Remote { user: string; key: string; currency: string; perPayment: string; total: string; payee: string[]; level: string[]; minTier: string; confirmAbove: string; agent: string[]; valid: string; json?: boolean }

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

function rulesOf(options: OpenOptions): Omit<CarrierRules, 'salt'> {
  const now = Math.floor(Date.now() / 1000);
  const payees = options.payee.map(payeeOf);
  return {
    perPaymentMax: minorUnits(options.perPayment), totalMax: minorUnits(options.total), windows: [], scenarios: [...new Set(payees.map(({ scenario }) => scenario))], payees,
    notBefore: now, notAfter: now + duration(options.valid), hours: null, levels: options.level.map((level) => oneOf<Level>(LEVELS, level, 'level')),
    minTier: oneOf<Tier>(TIERS, options.minTier, 'tier'), confirmAbove: minorUnits(options.confirmAbove), offline: null,
  };
}

export const carrier = (ari: Command): void => {
  const group = ari.command('carrier').summary('dedicated funds with hard rules').description('Opens, fills and stops fund carriers: accounts apart from the main account, whose rules no agent can loosen. Amounts are integers of minor units.');
  group.command('open')
    .summary('open a carrier')
    .description('Signs the rules with the user\'s key and lets the verifier open the carrier. A rule that is not given is the strictest.')
    .addOption(apiOption()).addOption(tokenOption()).addOption(caOption()).addOption(userOption()).addOption(keyOption("the user's"))
    .requiredOption('--currency <CODE>', 'ISO 4217')
    .requiredOption('--per-payment <N>', 'most for one payment')
    .requiredOption('--total <N>', 'most over its life')
    .option('--payee <ID=SCENARIO[@ORIGIN]>', 'a permitted payee and what it sells (repeatable)', list, [])
    .option('--level <LEVEL>', 'a permitted level, L0 to L5 (repeatable)', list, [])
    .option('--min-tier <TIER>', 'least proof of the device', 'T2')
    .option('--confirm-above <N>', 'from this amount on the user confirms', '0')
    .option('--agent <ID>', 'an agent that may use it (repeatable)', list, [])
    .option('--valid <DURATION>', 'how long it lives', '30d')
    .option('--json', 'print one JSON object')
    .action(async (options: OpenOptions) => {
      const carrierId = await putCarrier(adminApi(options), userOf(options), { currency: options.currency, rules: rulesOf(options), agents: options.agent });
      show({ carrier_id: carrierId }, options, () => carrierId);
    });
  group.command('fund <CARRIER>')
    .summary('put money into a carrier')
    .description('Moves an amount from the main account into the carrier. The same --event moves it once.')
    .addOption(apiOption()).addOption(tokenOption()).addOption(caOption())
    .requiredOption('--amount <N>', 'minor units')
    .option('--event <ID>', 'name of this transfer')
    .option('--json', 'print one JSON object')
    .action(async (carrierId: string, options: Remote & { amount: string; event?: string; json?: boolean }) => {
      const view = await fundCarrier(adminApi(options), carrierId, minorUnits(options.amount), options.event);
      show(view, options, () => 'done');
    });
  group.command('show <CARRIER>')
    .summary('what a carrier holds and permits')
    .description('Shows balance, running totals and rules of a carrier.')
    .addOption(apiOption()).addOption(tokenOption()).addOption(caOption())
    .option('--json', 'print one JSON object')
    .action(async (carrierId: string, options: Remote & { json?: boolean }) => {
      const view = await showCarrier(adminApi(options), carrierId);
      const { currency, rules } = carrierOf(view);
      const amount = (minor: unknown): string => format({ amount: BigInt(minor as number), currency });
      show(view, options, () => table([
        ['state', view['state'] === 'active' ? paint('green', 'active') : paint('red', word(view['state']))],
        ['available', amount(view['available'])], ['reserved', amount(view['reserved'])], ['spent', `${amount(view['spent'])} of ${amount(view['total_max'])}`],
        ['one payment', `at most ${format({ amount: rules.perPaymentMax, currency })}; the user confirms from ${format({ amount: rules.confirmAbove, currency })}`],
        ['payees', rules.payees.map(({ id, scenario }) => `${id} (${scenario})`).join(', ') || 'none'],
        ['levels', rules.levels.join(' ') || 'none'], ['tier', `${rules.minTier} at least`],
      ]));
    });
  for (const [action, summary] of [['freeze', 'stop a carrier for now'], ['thaw', 'let a frozen carrier go on'], ['revoke', 'end a carrier for good']] as const) {
    group.command(`${action} <CARRIER>`)
      .summary(summary)
      .description(`Signs the order with the user's key. Once it is answered it holds: nothing more is permitted${action === 'thaw' ? ' before it' : ''}.`)
      .addOption(apiOption()).addOption(caOption()).addOption(userOption()).addOption(keyOption("the user's"))
      .option('--json', 'print one JSON object')
      .action(async (carrierId: string, options: Remote & { user: string; key: string; json?: boolean }) => {
        const state = await order(adminApi(options), userOf(options), action, carrierId);
        show({ carrier_id: carrierId, state }, options, () => `${carrierId} is ${state}`);
      });
  }
};
