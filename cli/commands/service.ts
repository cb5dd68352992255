import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Command } from 'commander';
import { loadConfig } from '../../daemon/config.js';
import { Fault, fault } from '../../src/base/fault.js';
import { show, table } from '../output.js';
import { AGENT_UNIT, type Installation, SIDECAR_UNIT, type UnitFiles, unitFiles } from '../units.js';

const ARI = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../../dist/cli/ari.js' : '../ari.js', import.meta.url));

interface ServiceOptions { config: string; print?: boolean; json?: boolean }

/** @throws Fault usage.wrong when there is no such program here, or it says no */
function tell(program: string, ...args: string[]): void {
  const { error, status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  if (error) throw fault('usage.wrong', { what: `${program} cannot be started: services are installed where systemd runs` });
  if (status !== 0) throw fault('usage.wrong', { what: `${program} ${args.join(' ')}: ${stderr.trim().split('\n').at(-1) ?? status}` });
}

/** What this device and its configuration ask of the units. @throws Fault config.*, usage.wrong when there is no TPM device to give rights to */
function placeOf(file: string): Installation {
  const config = resolve(file);
  const { tpm, state, agents } = loadConfig(config);
  return { node: process.execPath, ari: ARI, config, stateDir: state.dir, socket: agents.socket, tpm: tpm.channel.startsWith('device:') ? deviceOf(tpm.channel.slice('device:'.length)) : null };
}

function deviceOf(device: string): NonNullable<Installation['tpm']> {
  const found = statSync(device, { throwIfNoEntry: false });
  if (found === undefined) throw fault('usage.wrong', { what: `there is no TPM at ${device}; enable it in the firmware, or name another one in [tpm] channel` });
  if (found.gid === 0) throw fault('usage.wrong', { what: `${device} belongs to no group but root's; install your distribution's udev rule for TPMs (Debian: tpm-udev)` });
  return { device, gid: found.gid };
}

/** Writes what is not there or differs. @returns the paths written */
function write(files: UnitFiles): string[] {
  const changed = Object.entries(files).filter(([path, content]) => !existsSync(path) || readFileSync(path, 'utf8') !== content);
  for (const [path, content] of changed) {
    try {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, content);
      chmodSync(path, 0o644);
    } catch (cause) {
      throw new Fault('usage.wrong', { what: `${path} cannot be written: ${(cause as Error).message}; services are installed by root` }, cause);
    }
  }
  return changed.map(([path]) => path);
}

function install(options: ServiceOptions): void {
  const files = unitFiles(placeOf(options.config));
  if (options.print) {
    show({ files }, options, () => Object.entries(files).map(([path, content]) => `# ${path}\n${content}`).join('\n'));
    return;
  }
  const written = write(files);
  tell('systemd-sysusers', '/etc/sysusers.d/ari.conf');
  tell('systemctl', 'daemon-reload');
  show({ written, unchanged: Object.keys(files).filter((path) => !written.includes(path)) }, options, () => [
    table(Object.keys(files).map((path) => [written.includes(path) ? 'written' : 'as it was', path])),
    `\nnext: systemctl enable --now ${SIDECAR_UNIT}\n      systemctl enable --now ${AGENT_UNIT.replace('@', '@AGENT')}   (for each agent that is to be launched)`,
  ].join('\n'));
}

/** The state stays: with it the device is the one that its verifier knows. */
function remove(options: ServiceOptions): void {
  const paths = Object.keys(unitFiles({ node: '', ari: '', config: '', stateDir: '/var/lib/ari', socket: '/run/ari/agent.sock', tpm: null }));
  const there = paths.filter((path) => existsSync(path));
  if (there.length > 0) {
    tell('systemctl', 'stop', AGENT_UNIT.replace('@', '@*'));
    tell('systemctl', 'disable', '--now', SIDECAR_UNIT);
    for (const path of there) rmSync(path);
    tell('systemctl', 'daemon-reload');
  }
  show({ removed: there }, options, () => (there.length === 0 ? 'no service is installed' : table(there.map((path) => ['removed', path]))));
}

export const service = (ari: Command): void => {
  const group = ari.command('service').summary('the sidecar as a service of systemd').description('Installs the sidecar as a hardened service that starts with the machine, and a template for its agents.');
  group.command('install')
    .summary('write the units of the sidecar and its agents')
    .description('Makes the system user ari, writes ari-sidecar.service with no more rights than the sidecar needs, and ari-agent@.service, which launches the agent\nof that name, measured, whenever it starts. What is there already as it should be is left alone. Nothing is started.')
    .option('-c, --config <FILE>', "the sidecar's configuration", process.env['ARI_CONFIG'] ?? '/etc/ari/sidecar.toml')
    .option('--print', 'print the files, write none')
    .option('--json', 'print one JSON object')
    .action(install);
  group.command('remove')
    .summary('stop the services and take their units away')
    .description('Stops the sidecar and its agents and removes what install wrote. Configuration, state and the user ari stay: with them the device is still\nthe one that its verifier knows.')
    .option('--json', 'print one JSON object')
    .action(remove);
};
