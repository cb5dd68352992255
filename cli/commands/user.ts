import type { Command } from 'commander';
import { encode } from '../../src/base/shape.js';
import { format } from '../../src/money.js';
import { intent } from '../../src/objects/intent.js';
import { confirmPayment, createUser, enrolCode, paymentIntent } from '../actions.js';
import { loadOrCreateKey } from '../keys.js';
import { show, table } from '../output.js';
import { adminApi, apiOption, caOption, keyOption, type Remote, tokenOption, userOf, userOption } from './options.js';

export const user = (ari: Command): void => {
  const group = ari.command('user').summary('register a user, let a device enrol, confirm a payment').description('What a user does at a verifier, with a key of her own.');
  group.command('create')
    .summary('register a user with a key')
    .description('Registers a user and the public half of the key in FILE; the key is made when the file is missing. Keep the file: it signs for you.')
    .addOption(apiOption()).addOption(tokenOption()).addOption(caOption()).addOption(keyOption("the user's"))
    .option('--organisation', 'the user is an organisation')
    .option('--json', 'print one JSON object')
    .action(async (options: Remote & { key: string; organisation?: boolean; json?: boolean }) => {
      const key = loadOrCreateKey(options.key, 'user');
      const { userId } = await createUser(adminApi(options), key, options.organisation ? 'organisation' : 'person');
      show({ user_id: userId, kid: key.kid }, options, () => userId);
    });
  group.command('code')
    .summary('a one-time code with which a device enrols')
    .description('Prints a code that lets one device enrol for the user. Give it to `ari init` on the device.')
    .addOption(apiOption()).addOption(tokenOption()).addOption(caOption()).addOption(userOption())
    .option('--re-enrol', 'the code may also replace the key of a device that is known')
    .option('--json', 'print one JSON object')
    .action(async (options: Remote & { user: string; reEnrol?: boolean; json?: boolean }) => {
      const code = await enrolCode(adminApi(options), options.user, options.reEnrol ?? false);
      show({ code }, options, () => code);
    });
  group.command('confirm <PAYMENT>')
    .summary('consent to a payment that waits for it')
    .description('Shows the payment as the verifier holds it and signs consent to exactly that. With --dry-run it only shows it.')
    .addOption(apiOption()).addOption(tokenOption()).addOption(caOption()).addOption(userOption()).addOption(keyOption("the user's"))
    .option('--dry-run', 'show, do not sign')
    .option('--json', 'print one JSON object')
    .action(async (paymentId: string, options: Remote & { user: string; key: string; dryRun?: boolean; json?: boolean }) => {
      const api = adminApi(options);
      const shown = await paymentIntent(api, paymentId);
      if (!options.dryRun) await confirmPayment(api, userOf(options), paymentId, shown);
      show({ payment_id: paymentId, confirmed: !options.dryRun, intent: encode(intent, shown) }, options, () =>
        table([['payment', paymentId], ['pays', `${format(shown.amount)} to ${shown.payee.id}${shown.payee.origin ? ` (${shown.payee.origin})` : ''}`], ['for', shown.order.ref], ['', options.dryRun ? 'not confirmed' : 'confirmed: the device makes a new attempt when its agent asks again']]));
    });
};
