import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { fault } from '../../src/base/fault.js';
import { backup, restore } from '../../verifier/backup.js';
import { loadConfig } from '../../verifier/config.js';
import { readFile } from '../keys.js';
import { show } from '../output.js';

interface BackupOptions { config: string; json?: boolean }

const configured = (command: Command): Command => command.option('-c, --config <FILE>', 'configuration', process.env['ARI_CONFIG'] ?? '/etc/ari/verifier.toml').option('--json', 'print one JSON object');

/** The newest checkpoint that is known: the one that is named, else that of the tiles which are still beside the configuration. */
function seenBy({ deposit }: ReturnType<typeof loadConfig>, named: string | undefined): string {
  const beside = join(deposit.dir, 'checkpoint');
  const file = named ?? (existsSync(beside) ? beside : undefined);
  if (file === undefined) throw fault('usage.wrong', { what: 'name with --checkpoint FILE the newest checkpoint that anybody has seen: from a mirror, a witness, an auditor; or the one in the backup when nobody has seen a later one' });
  return readFile(file);
}

export function backups(group: Command): void {
  configured(group.command('backup <DIR>'))
    .summary('copy a verifier, running or not, into a new folder')
    .description("Copies the store as of one moment, keys, operator's token, policy and publishers into DIR, which only its owner reads. It holds every key of the verifier: keep it as you keep them.\nA PostgreSQL server has its own backups (pg_dump).")
    .action(async (dir: string, options: BackupOptions) => {
      const { size } = await backup(loadConfig(options.config), resolve(dir));
      show({ dir, size }, options, () => `${dir}: the verifier as of ${size} leaves of its log`);
    });
  configured(group.command('restore <DIR>'))
    .summary('put a backup where the configuration says, and where nothing is yet')
    .description('Restores a backup. What was decided after it is lost; so that its log never tells two stories, nothing is restored that does not hold the newest checkpoint that anybody has seen.')
    .option('--checkpoint <FILE>', "that checkpoint (default: the one of the log's folder that the configuration names)")
    .action(async (dir: string, options: BackupOptions & { checkpoint?: string }) => {
      const config = loadConfig(options.config);
      const { size } = await restore(config, resolve(dir), seenBy(config, options.checkpoint));
      show({ dir, size }, options, () => `restored as of ${size} leaves of the log\nnext: ari verifier serve -c ${options.config}`);
    });
}
