import type { Command } from 'commander';
import { format } from '../../src/money.js';
import { carrierOf, fundCarrier, putCarrier, returnFunds, showCarrier } from '../actions.js';
import { carrierStatement } from './statement.js';
import { paint, show, table, word } from '../output.js';
import { type RuleOptions, ruleOptions, rulesOf } from '../rules.js';
import { apiFor, type AsEither, type AsUser, calling, minorUnits, userOf } from './options.js';
import { orders } from './orders.js';

interface OpenOptions extends AsUser, RuleOptions { currency: string }
type ReviseOptions = Omit<OpenOptions, 'currency'>;
interface MoveOptions extends AsEither { amount: string; event?: string }

export const carrier = (ari: Command): void => {
  const group = ari.command('carrier').summary('dedicated funds with hard rules').description('Opens, fills and stops fund carriers: accounts apart from the main account, whose rules no agent can loosen. Amounts are integers of minor units.');
  const open = calling(group.command('open'), 'user')
    .summary('open a carrier')
    .description('Signs the rules with the user\'s key and lets the verifier open the carrier. A rule that is not given is the strictest.')
    .requiredOption('--currency <CODE>', 'ISO 4217');
  ruleOptions(open)
    .option('--json', 'print one JSON object')
    .action(async (options: OpenOptions) => {
      const carrierId = await putCarrier(apiFor(options), userOf(options), { currency: options.currency, rules: rulesOf(options), agents: options.agent });
      show({ carrier_id: carrierId }, options, () => carrierId);
    });
  const rules = calling(group.command('rules <CARRIER>'), 'user')
    .summary('change the rules of a carrier')
    .description("Signs new rules with the user's key, tighter or looser. They replace all rules of the carrier; one that is not given is the strictest.\nMandates pay on under tighter rules; after looser ones they pay nothing until they are signed anew.");
  ruleOptions(rules)
    .option('--json', 'print one JSON object')
    .action(async (carrierId: string, options: ReviseOptions) => {
      const api = apiFor(options);
      const { rev, currency } = carrierOf(await showCarrier(api, carrierId));
      await putCarrier(api, userOf(options), { carrierId, rev: rev + 1, currency, rules: rulesOf(options), agents: options.agent });
      show({ carrier_id: carrierId, rev: rev + 1 }, options, () => `revision ${rev + 1} of ${carrierId}`);
    });
  const moves = [
    ['fund', 'operator', 'put money into a carrier', 'Moves an amount from the main account into the carrier; what that lacks comes in from outside, so this is for the operator. The same --event moves it once.', fundCarrier],
    ['return', 'either', 'take money out of a carrier', 'Moves an amount that is not reserved back to the main account. The same --event moves it once.', returnFunds],
  ] as const;
  for (const [name, who, summary, description, move] of moves) {
    calling(group.command(`${name} <CARRIER>`), who)
      .summary(summary)
      .description(description)
      .requiredOption('--amount <N>', 'minor units')
      .option('--event <ID>', 'name of this transfer')
      .option('--json', 'print one JSON object')
      .action(async (carrierId: string, options: MoveOptions) => {
        const view = await move(apiFor(options), carrierId, minorUnits(options.amount), options.event);
        show(view, options, () => 'done');
      });
  }
  calling(group.command('show <CARRIER>'), 'either')
    .summary('what a carrier holds and permits')
    .description('Shows balance, running totals and rules of a carrier.')
    .option('--json', 'print one JSON object')
    .action(async (carrierId: string, options: AsEither) => {
      const view = await showCarrier(apiFor(options), carrierId);
      const { currency, rules } = carrierOf(view);
      const amount = (minor: unknown): string => format({ amount: BigInt(minor as number), currency });
      show(view, options, () => table([
        ['state', view['state'] === 'active' ? paint('green', 'active') : paint('red', word(view['state']))],
        ['available', amount(view['available'])], ['reserved', amount(view['reserved'])], ['spent', `${amount(view['spent'])} of ${amount(view['total_max'])}`],
        ['one payment', `at most ${format({ amount: rules.perPaymentMax, currency })}; the user confirms from ${format({ amount: rules.confirmAbove, currency })}`],
        ['payees', rules.payees.map(({ id, scenario }) => `${id} (${scenario})`).join(', ') || 'none'],
        ['windows', rules.windows.map(({ period, max, count }) => `${period}: ${format({ amount: max, currency })} and ${count} payments`).join(', ') || 'none'],
        ['offline', rules.offline === null ? 'nothing' : `${format({ amount: rules.offline.maxTotal, currency })} and ${rules.offline.maxCount} payments, reserved ahead`],
        ['hours', rules.hours === null ? 'any' : `${rules.hours.from} to ${rules.hours.to}, ${rules.hours.tz}`],
        ['levels', rules.levels.join(' ') || 'none'], ['tier', `${rules.minTier} at least`],
      ]));
    });
  carrierStatement(group);
  orders(group, 'carrier', { freeze: 'stop a carrier for now', thaw: 'let a frozen carrier go on', revoke: 'end a carrier for good' });
};
