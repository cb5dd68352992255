import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fault } from '../../src/base/fault.js';
import { SIDECAR_UNIT } from '../units.js';

const ARI = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../../dist/cli/ari.js' : '../ari.js', import.meta.url));

export interface UnitRun { readonly agentId: string; readonly args: readonly string[]; readonly config: string; readonly user: string | undefined; readonly restart: boolean; /** `NAME=VALUE` or `NAME`, as given. */ readonly env: readonly string[]; readonly signals: readonly NodeJS.Signals[] }

/** Only the launcher is told to stop, and tells its agent; the agent is started anew with the sidecar, which knows no process that it did not see begin. */
const PROPERTIES = ['KillMode=mixed', `PartOf=${SIDECAR_UNIT}`, `After=${SIDECAR_UNIT}`];

const unitOf = (agentId: string): string => `ari-agent-${agentId.replace(/[^A-Za-z0-9.-]/g, '-')}.service`;

/**
 * The same command in a transient unit of systemd: with a cgroup of its own, whose name is claimed. Standard streams, signals and exit status are handed
 * on as without it. Values of variables go by the environment, not by the command line, which everybody can read.
 * @throws Fault usage.wrong without systemd
 */
export async function runInUnit({ agentId, args, config, user, restart, env, signals }: UnitRun): Promise<number> {
  const unit = unitOf(agentId);
  const given = env.map((one): [string, string | undefined] => { const [name = ''] = one.split('=', 1); return [name, one.includes('=') ? one.slice(name.length + 1) : process.env[name]]; });
  const again = ['run', '-c', resolve(config), ...given.flatMap(([name]) => ['--env', name]), ...(user === undefined ? [] : ['--user', user]), ...(restart ? ['--restart'] : []), '--', agentId, ...args];
  const asked = ['--quiet', '--collect', '--pipe', '--wait', `--unit=${unit}`, `--description=Agent ${agentId}`, ...PROPERTIES.map((one) => `--property=${one}`), ...given.map(([name]) => `--setenv=${name}`)];
  // In a session of its own: the terminal's signals reach the agent once, through the launcher.
  const client = spawn('systemd-run', [...asked, process.execPath, ARI, ...again], { stdio: 'inherit', detached: true, env: { ...process.env, ...Object.fromEntries(given) } });
  const forward = (signal: NodeJS.Signals): void => void spawn('systemctl', ['kill', '--kill-whom=main', `--signal=${signal}`, unit], { stdio: 'ignore' });
  for (const signal of signals) process.on(signal, forward);
  try {
    const [status] = await once(client, 'exit').catch(() => { throw fault('usage.wrong', { what: 'systemd-run cannot be started; run it without --unit' }); }) as [number | null];
    return status ?? 1;
  } finally {
    for (const signal of signals) process.off(signal, forward);
  }
}
