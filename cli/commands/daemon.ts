import type { Command } from 'commander';
import { loadConfig } from '../../daemon/config.js';
import { notify } from '../../daemon/notify.js';
import { untilStopped } from '../until.js';

/** Closing takes less, whatever agents, verifier and TPM do. Below the unit's TimeoutStopSec. */
const END_MS = 10_000;

export const daemon = (ari: Command): void => {
  ari.command('daemon')
    .summary('run the sidecar on this device')
    .description('Runs the sidecar: measures the agents that connect to its socket, proves them with the TPM, and puts their payments before the verifier.\nIt opens no network port. Logs go to standard error as JSON lines; SIGTERM ends it in order, a second one at once.')
    .option('-c, --config <FILE>', 'configuration', process.env['ARI_CONFIG'] ?? '/etc/ari/sidecar.toml')
    .action(async ({ config: file }: { config: string }) => {
      const config = loadConfig(file);
      const [{ startDaemon }, { pino }] = await Promise.all([import('../../daemon/main.js'), import('pino')]);
      const log = pino({ level: config.log.level }, pino.destination(2));
      const running = await startDaemon(config, log);
      notify('READY=1');
      await untilStopped();
      notify('STOPPING=1');
      setTimeout(() => {
        log.error('the sidecar did not end in order: what was under way is in its journal');
        process.exit(1);
      }, END_MS).unref();
      await running.close();
    });
};
