import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { Argument, Option, type Command } from 'commander';
import { DEMO_POLICY, initVerifier } from '../../verifier/init.js';
import { loadConfig, placeOf } from '../../verifier/config.js';
import { OWN_ROLES, type OwnRole, rotateKey } from '../../verifier/keys.js';
import { fault } from '../../src/base/fault.js';
import { putPayee, showPayee, trustPublisher } from '../actions.js';
import { loadPublic } from '../keys.js';
import { show, table, word } from '../output.js';
import { untilStopped } from '../until.js';
import { adminApi, type AsOperator, calling } from './options.js';
import { backups } from './verifier-backup.js';
import { tls } from './verifier-tls.js';

const configOption = (): Option => new Option('-c, --config <FILE>', 'configuration').default(process.env['ARI_CONFIG'] ?? '/etc/ari/verifier.toml');

/** A configuration to begin with; every line of it is explained in docs/configuration.md. */
export const verifierToml = ({ issuer, listen, testRoots = [], storeUrl }: { issuer: string; listen: string; testRoots?: string[]; storeUrl?: string | undefined }): string => `issuer = ${JSON.stringify(issuer)}
listen = ${JSON.stringify(listen)}

[store]
${storeUrl === undefined ? 'path = "verifier.db"' : `url = ${JSON.stringify(storeUrl)}`}

[keys]
dir = "keys"

[trust]
ek_roots = ["builtin"]
test_roots = ${JSON.stringify(testRoots)}
publishers = "publishers.json"
policy_file = "policy.jwt"

[deposit]
origin = ${JSON.stringify(`${new URL(issuer).host}/deposit`)}

[api]
admin_token_file = "admin-token"
`;

interface InitOptions { config: string; issuer: string; listen: string; testRoot: string[]; allowSimulated?: boolean; json?: boolean }

function init(options: InitOptions): void {
  if (!existsSync(options.config)) {
    mkdirSync(dirname(options.config), { recursive: true });
    writeFileSync(options.config, verifierToml({ issuer: options.issuer, listen: options.listen, testRoots: options.testRoot.map((file) => resolve(file)) }), { mode: 0o644 });
  }
  const config = loadConfig(options.config);
  initVerifier(config, options.allowSimulated ? DEMO_POLICY : {});
  show({ config: options.config, keys: config.keys.dir, policy: config.trust.policyFile, admin_token: config.api.adminTokenFile }, options, () =>
    `configuration  ${options.config}\nkeys           ${config.keys.dir}\npolicy         ${config.trust.policyFile}\noperator token ${config.api.adminTokenFile}\n\nnext: ari verifier serve -c ${options.config}`);
}

export const verifier = (ari: Command): void => {
  const group = ari.command('verifier').summary('run the remote side: appraise, decide, keep carriers and the log').description('Runs and prepares a verifier: the remote process that judges evidence, decides on payments, keeps the fund carriers and the deposit chain.');
  group.command('init')
    .summary('make keys, operator token, a first policy and, if missing, the configuration')
    .description('Makes what a verifier needs and does not have yet; what exists is kept. The policy refuses simulated TPMs unless told otherwise.')
    .addOption(configOption())
    .option('--issuer <URL>', 'the name under which this verifier signs', 'http://127.0.0.1:8443')
    .option('--listen <HOST:PORT>', 'where it listens; without TLS this machine only', '127.0.0.1:8443')
    .option('--test-root <FILE>', 'root of a software TPM: devices below it are marked simulated (repeatable)', (file: string, all: string[]) => [...all, file], [])
    .option('--allow-simulated', 'a policy that permits payments from simulated TPMs: for demonstrations only')
    .option('--json', 'print one JSON object')
    .action(init);
  group.command('serve')
    .summary('serve sidecars, users and operators')
    .description('Serves the HTTP API and the link for sidecars on one port. What a crash left open is brought to its end first. SIGTERM ends it in order.')
    .addOption(configOption())
    .option('--log-level <LEVEL>', 'fatal, error, warn, info, debug or trace', 'info')
    .action(async (options: { config: string; logLevel: string }) => {
      const [{ startVerifier }, { pino }] = await Promise.all([import('../../verifier/main.js'), import('pino')]);
      const logger = pino({ level: options.logLevel }, pino.destination(2));
      const running = await startVerifier(loadConfig(options.config), { logger });
      logger.info({ url: running.url }, 'the verifier is ready');
      await untilStopped();
      await running.close();
    });
  group.command('migrate')
    .summary('bring the store to this version')
    .description('Applies the schema versions that the store does not have yet. Safe to repeat; `serve` does it too.')
    .addOption(configOption())
    .action(async (options: { config: string }) => {
      const { openStore } = await import('../../verifier/store/store.js');
      await (await openStore(placeOf(loadConfig(options.config)))).close();
    });
  group.command('rotate')
    .summary('replace the key of a role')
    .description('Makes a new key for a role; the verifier signs with it after its next start. The old public key stays in the key set, so that everything it signed\nstill verifies. Rotate while the verifier has run with the old key at least once: only then is that key published.')
    .addOption(configOption())
    .addArgument(new Argument('<ROLE>', 'whose key').choices(OWN_ROLES))
    .option('--json', 'print one JSON object')
    .action((role: OwnRole, options: { config: string; json?: boolean }) => {
      const { before, after } = rotateKey(loadConfig(options.config).keys.dir, role);
      show({ role, before, after }, options, () => `${role}: ${before} -> ${after}\nnext: restart ari verifier serve`);
    });
  backups(group);
  tls(group);
  group.command('publisher <NAME>')
    .summary('trust the manifests of a publisher')
    .description("Enters a publisher's public key into the publishers file of the configuration. Restart the verifier after it.")
    .addOption(configOption())
    .requiredOption('-k, --key <FILE>', "the publisher's public key (JWK)")
    .action((publisher: string, options: { config: string; key: string }) => trustPublisher(loadConfig(options.config).trust.publishers, publisher, loadPublic(options.key)));
  calling(group.command('payee <ID>'), 'operator')
    .summary('enter a payee into the directory, or show it')
    .description('Says for which scenario a payee is vouched and which account receives its money. The scenario is never the word of an agent. Without --scenario and --account it shows what the directory says.')
    .option('--origin <URL>', "the payee's origin")
    .option('--scenario <NAME>', 'what it sells, e.g. gift.flowers')
    .option('--account <NAME>', 'the account that receives its money')
    .option('--json', 'print one JSON object')
    .action(async (payeeId: string, { origin, scenario, account, ...options }: AsOperator & { origin?: string; scenario?: string; account?: string }) => {
      if ((scenario === undefined) !== (account === undefined)) throw fault('usage.wrong', { what: 'a payee is entered with both, --scenario and --account' });
      const api = adminApi(options);
      if (scenario !== undefined && account !== undefined) await putPayee(api, { payeeId, origin: origin ?? null, scenario, settleAccount: account });
      const said = await showPayee(api, payeeId, origin ?? null);
      show(said, options, () => table([['payee', payeeId], ['sells', word(said['scenario'])]]));
    });
};
