/** All sub-commands, in the order of `ari --help`. Each stands in a module of its own that is loaded when it is needed: none pays for the libraries of another. */
import type { Command } from 'commander';

type Register = (ari: Command) => void;

const COMMANDS: Readonly<Record<string, () => Promise<Register>>> = {
  demo: async () => (await import('./demo.js')).demo,
  init: async () => (await import('./init.js')).init,
  daemon: async () => (await import('./daemon.js')).daemon,
  run: async () => (await import('./run.js')).run,
  status: async () => (await import('./status.js')).status,
  doctor: async () => (await import('./doctor.js')).doctor,
  pay: async () => (await import('./pay.js')).pay,
  manifest: async () => (await import('./manifest.js')).manifest,
  user: async () => (await import('./user.js')).user,
  device: async () => (await import('./device.js')).device,
  mandate: async () => (await import('./mandate.js')).mandate,
  carrier: async () => (await import('./carrier.js')).carrier,
  payment: async () => (await import('./payment.js')).payments,
  verifier: async () => (await import('./verifier.js')).verifier,
  policy: async () => (await import('./policy.js')).policy,
  verify: async () => (await import('./verify.js')).verify,
  audit: async () => (await import('./audit.js')).auditLogs,
  inspect: async () => (await import('./inspect.js')).inspect,
  service: async () => (await import('./service.js')).service,
};

/** The command of this name; all of them when it is the name of none, for the help and for what is said of a wrong one. */
export function commands(name = ''): Promise<Register[]> {
  const load = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  return Promise.all(load === undefined ? Object.values(COMMANDS).map((each) => each()) : [load()]);
}
