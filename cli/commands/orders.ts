/** freeze, thaw, revoke: the orders that a user signs, the same for whatever is hers. */
import type { Command } from 'commander';
import { order } from '../actions.js';
import { show } from '../output.js';
import { apiFor, type AsUser, calling, userOf } from './options.js';

type Action = Parameters<typeof order>[2];

/** @param what names the subject in help and JSON. @param summaries one line per order */
export function orders(group: Command, what: string, summaries: Readonly<Record<Action, string>>): void {
  for (const [action, summary] of Object.entries(summaries) as [Action, string][]) {
    calling(group.command(`${action} <${what.toUpperCase()}>`), 'user')
      .summary(summary)
      .description(`Signs the order with the user's key. Once it is answered it holds: nothing more is permitted${action === 'thaw' ? ' before it' : ''}.`)
      .option('--json', 'print one JSON object')
      .action(async (subject: string, options: AsUser) => {
        const state = await order(apiFor(options), userOf(options), action, subject);
        show({ [`${what}_id`]: subject, state }, options, () => `${subject} is ${state}`);
      });
  }
}
