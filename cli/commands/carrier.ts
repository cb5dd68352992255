import type { Command } from 'commander';
import { format } from '../../src/money.js';
import { carrierOf, fundCarrier, order, putCarrier, returnFunds, showCarrier } from '../actions.js';
import { carrierStatement } from './statement.js';
import { paint, show, table, word } from '../output.js';
import { type RuleOptions, ruleOptions, rulesOf } from '../rules.js';
import { adminApi, apiOption, caOption, keyOption, minorUnits, type Remote, tokenOption, userOf, userOption } from './options.js';

interface OpenOptions extends Remote, RuleOptions { user: string; key: string; currency: string; json?: boolean }
type ReviseOptions = Omit<OpenOptions, 'currency'>;
interface MoveOptions extends Remote { amount: string; event?: string; json?: boolean }

export const carrier = (ari: Command): void => {
  const group = ari.command('carrier').summary('dedicated funds with hard rules').description('Opens, fills and stops fund carriers: accounts apart from the main account, whose rules no agent can loosen. Amounts are integers of minor units.');
  const open = group.command('open')
    .summary('open a carrier')
    .description('Signs the rules with the user\'s key and lets the verifier open the carrier. A rule that is not given is the strictest.')
    .addOption(apiOption()).addOption(tokenOption()).addOption(caOption()).addOption(userOption()).addOption(keyOption("the user's"))
    .requiredOption('--currency <CODE>', 'ISO 4217');
  ruleOptions(open)
    .option('--json', 'print one JSON object')
    .action(async (options: OpenOptions) => {
      const carrierId = await putCarrier(adminApi(options), userOf(options), { currency: options.currency, rules: rulesOf(options), agents: options.agent });
      show({ carrier_id: carrierId }, options, () => carrierId);
    });
  const rules = group.command('rules <CARRIER>')
    .summary('change the rules of a carrier')
    .description("Signs new rules with the user's key, tighter or looser. They replace all rules of the carrier; one that is not given is the strictest.\nMandates pay on under tighter rules; after looser ones they pay nothing until they are signed anew.")
    .addOption(apiOption()).addOption(tokenOption()).addOption(caOption()).addOption(userOption()).addOption(keyOption("the user's"));
  ruleOptions(rules)
    .option('--json', 'print one JSON object')
    .action(async (carrierId: string, options: ReviseOptions) => {
      const api = adminApi(options);
      const { rev, currency } = carrierOf(await showCarrier(api, carrierId));
      await putCarrier(api, userOf(options), { carrierId, rev: rev + 1, currency, rules: rulesOf(options), agents: options.agent });
      show({ carrier_id: carrierId, rev: rev + 1 }, options, () => `revision ${rev + 1} of ${carrierId}`);
    });
  const moves = [
    ['fund', 'put money into a carrier', 'Moves an amount from the main account into the carrier. The same --event moves it once.', fundCarrier],
    ['return', 'take money out of a carrier', 'Moves an amount that is not reserved back to the main account. The same --event moves it once.', returnFunds],
  ] as const;
  for (const [name, summary, description, move] of moves) {
    group.command(`${name} <CARRIER>`)
      .summary(summary)
      .description(description)
      .addOption(apiOption()).addOption(tokenOption()).addOption(caOption())
      .requiredOption('--amount <N>', 'minor units')
      .option('--event <ID>', 'name of this transfer')
      .option('--json', 'print one JSON object')
      .action(async (carrierId: string, options: MoveOptions) => {
        const view = await move(adminApi(options), carrierId, minorUnits(options.amount), options.event);
        show(view, options, () => 'done');
      });
  }
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
        ['windows', rules.windows.map(({ period, max, count }) => `${period}: ${format({ amount: max, currency })} and ${count} payments`).join(', ') || 'none'],
        ['hours', rules.hours === null ? 'any' : `${rules.hours.from} to ${rules.hours.to}, ${rules.hours.tz}`],
        ['levels', rules.levels.join(' ') || 'none'], ['tier', `${rules.minTier} at least`],
      ]));
    });
  carrierStatement(group);
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
