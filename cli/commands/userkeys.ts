import type { Command } from 'commander';
import { addUserKey, order, revokeUserKey, userKeysOf } from '../actions.js';
import { loadOrCreateKey, loadPublic } from '../keys.js';
import { paint, show, table } from '../output.js';
import { existsSync } from 'node:fs';
import { apiFor, type AsEither, calling, namedUser, userOf } from './options.js';

const at = (ms: number): string => new Date(ms).toISOString();

/** The keys of a user: several, each for itself; one that is lost is revoked with another. */
export const userKeys = (group: Command): void => {
  calling(group.command('keys'), 'either')
    .summary('the keys that a user has and had')
    .description('Lists every key of the user: since when it speaks for her, or when it was revoked.')
    .option('--json', 'print one JSON object')
    .action(async (options: AsEither) => {
      const keys = await userKeysOf(apiFor(options), namedUser(options));
      const state = ({ fromMs, revokedMs }: (typeof keys)[number]): string => revokedMs !== null ? paint('red', `revoked ${at(revokedMs)}`) : fromMs > Date.now() ? paint('yellow', `speaks from ${at(fromMs)}`) : paint('green', 'speaks');
      show({ keys: keys.map(({ kid, fromMs, revokedMs }) => ({ kid, from_ms: fromMs, revoked_ms: revokedMs })) }, options, () => table(keys.map((key) => [key.kid, state(key)])) || 'none');
    });
  calling(group.command('add-key'), 'either')
    .summary('give a user another key')
    .description('Adds the key in FILE, which is made when it is missing. Signed with a key of yours it speaks at once. At the operator\'s word, when all are lost, it speaks after a day,\nin which a key that was not lost after all can revoke it.')
    .requiredOption('--new-key <FILE>', 'the key to add (JWK, private or public)')
    .option('--passkey', 'it is the public key of a passkey')
    .option('--json', 'print one JSON object')
    .action(async (options: AsEither & { newKey: string; passkey?: boolean }) => {
      const jwk = existsSync(options.newKey) ? loadPublic(options.newKey) : loadOrCreateKey(options.newKey, 'user').jwk;
      const by = options.key === undefined ? namedUser(options) : userOf({ user: namedUser(options), key: options.key });
      const { kid, fromMs } = await addUserKey(apiFor(options), by, jwk, options.passkey ?? false);
      show({ kid, from_ms: fromMs }, options, () => (fromMs > Date.now() ? `${kid} speaks from ${at(fromMs)}` : kid));
    });
  calling(group.command('revoke-key <KID>'), 'either')
    .summary('end a key that is lost')
    .description('Nothing that the key signed is permitted once this is answered: not its mandates, not its consent. Sign the mandates anew with another key.')
    .option('--json', 'print one JSON object')
    .action(async (kid: string, options: AsEither) => {
      const api = apiFor(options);
      await (options.key === undefined ? revokeUserKey(api, namedUser(options), kid) : order(api, userOf({ user: namedUser(options), key: options.key }), 'revoke', kid));
      show({ kid, state: 'revoked' }, options, () => `${kid} is revoked`);
    });
};
