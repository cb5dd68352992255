import type { Command } from 'commander';
import { encode } from '../../src/base/shape.js';
import { format } from '../../src/money.js';
import { intent } from '../../src/objects/intent.js';
import { confirmPayment, createUser, enrolCode, paymentIntent } from '../actions.js';
import { loadOrCreateKey } from '../keys.js';
import { show, table } from '../output.js';
import { adminApi, apiFor, type AsEither, type AsOperator, type AsUser, calling, keyOption, namedUser, userOf } from './options.js';
import { userKeys } from './userkeys.js';

export const user = (ari: Command): void => {
  const group = ari.command('user').summary('register a user and her keys, let a device enrol, confirm a payment')
    .description('What a user is and does at a verifier. She proves each request with her own key (--user, --key); the operator may act in her place with his token where that is said.\nA passkey is registered and used in the browser: see docs/users.md.');
  calling(group.command('create'), 'operator')
    .summary('register a user with a key')
    .description('Registers a user and the public half of the key in FILE; the key is made when the file is missing. Keep the file: it signs for you.')
    .addOption(keyOption("the user's"))
    .option('--organisation', 'the user is an organisation')
    .option('--json', 'print one JSON object')
    .action(async (options: AsOperator & { key: string; organisation?: boolean }) => {
      const key = loadOrCreateKey(options.key, 'user');
      const { userId } = await createUser(adminApi(options), key, options.organisation ? 'organisation' : 'person');
      show({ user_id: userId, kid: key.kid }, options, () => userId);
    });
  userKeys(group);
  calling(group.command('code'), 'either')
    .summary('a one-time code with which a device enrols')
    .description('Prints a code that lets one device enrol for the user. Give it to `ari init` on the device; or to the user of a device, who lets you use it too with `ari device bind`.')
    .option('--re-enrol', 'the code may also replace the key of a device that is known')
    .option('--json', 'print one JSON object')
    .action(async (options: AsEither & { reEnrol?: boolean }) => {
      const code = await enrolCode(apiFor(options), namedUser(options), options.reEnrol ?? false);
      show({ code }, options, () => code);
    });
  calling(group.command('confirm <PAYMENT>'), 'user')
    .summary('consent to a payment that waits for it')
    .description('Shows the payment as the verifier holds it and signs consent to exactly that; on any machine, with any of your keys. With --dry-run it only shows it.\nWhat waits for you: `ari payment list --state confirm_required`.')
    .option('--dry-run', 'show, do not sign')
    .option('--json', 'print one JSON object')
    .action(async (paymentId: string, options: AsUser & { dryRun?: boolean }) => {
      const api = apiFor(options);
      const shown = await paymentIntent(api, paymentId);
      if (!options.dryRun) await confirmPayment(api, userOf(options), paymentId, shown);
      show({ payment_id: paymentId, confirmed: !options.dryRun, intent: encode(intent, shown) }, options, () =>
        table([['payment', paymentId], ['pays', `${format(shown.amount)} to ${shown.payee.id}${shown.payee.origin ? ` (${shown.payee.origin})` : ''}`], ['for', shown.order.ref], ['', options.dryRun ? 'not confirmed' : 'confirmed: the device makes a new attempt when its agent asks again']]));
    });
};
