import { constants } from 'node:os';
import { setTimeout as wait } from 'node:timers/promises';
import type { Command } from 'commander';
import { AriClient } from '../../client/index.js';
import { loadAgents } from '../../daemon/agents.js';
import { type DaemonConfig, loadConfig } from '../../daemon/config.js';
import { exitOf, launch } from '../../daemon/launch/launch.js';
import { planOf } from '../../daemon/launch/plan.js';
import type { Agent } from '../../daemon/ports.js';
import { loadTrust } from '../../daemon/trust.js';
import { fault } from '../../src/base/fault.js';
import { list } from './options.js';
import { runInUnit } from './run-unit.js';

interface RunOptions { config: string; env: string[]; user?: string; restart?: boolean; unit?: boolean }

const PAUSE_MS = { first: 1_000, most: 30_000 };
const FORWARDED = ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR2'] as const;

/** `UID:GID`, or a uid that is its gid too. */
function userOf(text: string): { uid: number; gid: number } {
  const [, uid, gid = uid] = /^([0-9]{1,9})(?::([0-9]{1,9}))?$/.exec(text) ?? [];
  if (uid === undefined) throw fault('usage.wrong', { what: `${text} is no user; write UID or UID:GID` });
  return { uid: Number(uid), gid: Number(gid) };
}

/** @throws Fault usage.wrong when the operator allowed no such agent */
function findAgent(agentId: string, { agents, verifier }: DaemonConfig, file: string): Agent {
  const agent = loadAgents(agents.allow, loadTrust(verifier.keysFile).keys).find(({ id }) => id === agentId);
  if (agent === undefined) throw fault('usage.wrong', { what: `there is no agent ${agentId} in [agents] allow of ${file}` });
  return agent;
}

/** Runs the agent once, from measured files to its exit. What this process is told by signals, it is told. */
async function runOnce(agentId: string, args: string[], options: RunOptions): Promise<{ status: number; told: boolean }> {
  const config = loadConfig(options.config);
  const agent = findAgent(agentId, config, options.config);
  const user = options.user === undefined ? (agent.uid === null || agent.uid === process.geteuid?.() ? null : { uid: agent.uid, gid: agent.uid }) : userOf(options.user);
  const client = new AriClient({ socket: config.agents.socket });
  try {
    const plan = planOf(agent, args, options.env, process.env);
    const child = await launch({ agent, plan, socket: config.agents.socket, user, announce: (request) => client.launch(request) });
    let told = false;
    const forward = (signal: NodeJS.Signals): void => {
      told = true;
      // The terminal sends its own signals to the agent too.
      if (!(process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT'))) child.kill(signal);
    };
    for (const signal of FORWARDED) process.on(signal, forward);
    const status = await exitOf(child, constants.signals);
    for (const signal of FORWARDED) process.off(signal, forward);
    return { status, told };
  } finally {
    client.close();
  }
}

/** What would not start here is not started there: a wrong agent or variable is said before there is a unit. */
async function inUnit(agentId: string, args: string[], options: RunOptions): Promise<number> {
  const { config: file, env, user, restart = false } = options;
  planOf(findAgent(agentId, loadConfig(file), file), args, env, process.env);
  return runInUnit({ agentId, args, config: file, user, restart, env, signals: FORWARDED });
}

async function untilItStays(agentId: string, args: string[], options: RunOptions): Promise<number> {
  for (let pause = PAUSE_MS.first; ; pause = Math.min(pause * 2, PAUSE_MS.most)) {
    const from = Date.now();
    const { status, told } = await runOnce(agentId, args, options);
    if (told || !options.restart) return status;
    if (Date.now() - from > PAUSE_MS.most) pause = PAUSE_MS.first;
    await wait(pause);
  }
}

export const run = (ari: Command): void => {
  ari.command('run <AGENT> [ARGS...]')
    .summary('start an agent that is measured before its first instruction')
    .description('Starts AGENT, one of the agents of the configuration, with the command line of its manifest and a clean environment. Its files are measured\nbefore it runs, its connection to the sidecar is handed over, and what it was given counts as measured. Only root and the user of the sidecar\nmay do this. Exit status and signals are those of the agent; standard streams are handed on.')
    .option('-c, --config <FILE>', "the sidecar's configuration", process.env['ARI_CONFIG'] ?? '/etc/ari/sidecar.toml')
    .option('--env <NAME[=VALUE]>', 'a variable for the agent (repeatable); others than PATH, HOME, locale and the like are not handed on', list, [])
    .option('--user <UID[:GID]>', 'run it as this user (default: the uid of its configuration)')
    .option('--restart', 'start it again, measured anew, whenever it ends by itself')
    .option('--unit', 'in a transient systemd unit of its own, whose name is claimed; whoever may ask systemd sees the values of --env')
    .passThroughOptions()
    .action(async (agentId: string, args: string[], options: RunOptions) => {
      process.exitCode = await (options.unit ? inUnit : untilItStays)(agentId, args, options);
    });
};
