/** The sidecar's configuration, `/etc/ari/sidecar.toml`. Secrets stand in files of their own and are named by path only. */
import { readFileSync } from 'node:fs';
import { dirname, isAbsolute, resolve } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { z } from 'zod';
import { configOf } from '../src/base/config.js';
import { fault } from '../src/base/fault.js';
import { name, record } from '../src/base/shape.js';

/** Name of the file in the state folder in which `ari init` leaves the one-time enrolment code. */
export const ENROL_CODE_FILE = 'enrol-code';

const path = z.string().min(1).max(4096);
const handle = z.int().min(0x01000000).max(0x01ffffff);
const persistent = z.int().min(0x81000000).max(0x81ffffff);
const CHANNEL = /^(?:device:\/.+|swtpm:unix:.+|swtpm:tcp:[^:]+:[0-9]{1,5})$/;

/** An agent that may connect: who it is, what its publisher says it is made of, where it lies. `launch_only`: only when `ari run` started it. */
const allowed = record({ id: name(), manifestFile: path, root: path.optional(), uid: z.int().min(0).optional(), launchOnly: z.boolean().optional() });

const shape = record({
  verifier: record({
    /** `wss://…`; plain `ws://` only to the machine itself. */
    url: z.string().regex(/^(?:wss:\/\/|ws:\/\/(?:127\.0\.0\.1|localhost|\[::1\])[:/])/, 'must be wss://, or ws:// to this machine'),
    caFile: path.optional(),
    /** The trust file of the verifier: its public keys by role. */
    keysFile: path,
  }),
  tpm: record({
    channel: z.string().regex(CHANNEL, 'must be device:PATH, swtpm:unix:PATH or swtpm:tcp:HOST:PORT').default('device:/dev/tpmrm0'),
    registerIndex: handle.default(0x01d10300),
    counterIndex: handle.default(0x01d10301),
    ownerAuthFile: path.optional(),
    endorsementAuthFile: path.optional(),
    /** A cloud's attestation key: a persistent handle, or the NV index of its template; its certificate: an NV index, or a PEM file. */
    provider: record({ key: z.union([persistent, handle]), certificate: z.union([handle, path]) }).optional(),
  }).prefault({}),
  agents: record({ socket: path.default('/run/ari/agent.sock'), allow: z.array(allowed).max(64) }),
  state: record({ dir: path.default('/var/lib/ari') }).prefault({}),
  limits: record({ bodyBytes: z.int().min(1024).max(1_048_576).default(65_536), paymentsPerMinute: z.int().min(1).max(100_000).default(600) }).prefault({}),
  /** `ca_file`: authorities of payees beside the public ones. `loopback`: payees on this machine, for tests and demonstrations. */
  proxy: record({ caFile: path.optional(), loopback: z.boolean().default(false) }).prefault({}),
  log: record({ level: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info') }).prefault({}),
});
export type DaemonConfig = z.output<typeof shape>;

export function parseConfig(text: string, file: string): DaemonConfig {
  let data: unknown;
  try {
    data = parseToml(text);
  } catch (cause) {
    throw fault('config.invalid', { file, what: (cause as Error).message.split('\n')[0] ?? 'no TOML' });
  }
  return configOf(shape, data, file);
}

/** Reads the file; relative paths in it are taken from its folder. @throws Fault config.unreadable, config.invalid */
export function loadConfig(file: string): DaemonConfig {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw fault('config.unreadable', { file, what: (cause as NodeJS.ErrnoException).code ?? 'error' });
  }
  const config = parseConfig(text, file);
  const from = dirname(resolve(file));
  const at = (p: string): string => (isAbsolute(p) ? p : resolve(from, p));
  return {
    ...config,
    verifier: { ...config.verifier, keysFile: at(config.verifier.keysFile), ...(config.verifier.caFile === undefined ? {} : { caFile: at(config.verifier.caFile) }) },
    tpm: tpmAt(config.tpm, at),
    proxy: { ...config.proxy, ...(config.proxy.caFile !== undefined && { caFile: at(config.proxy.caFile) }) },
    agents: { socket: at(config.agents.socket), allow: config.agents.allow.map((a) => ({ ...a, manifestFile: at(a.manifestFile), root: at(a.root ?? dirname(a.manifestFile)) })) },
    state: { dir: at(config.state.dir) },
  };
}

function tpmAt({ ownerAuthFile, endorsementAuthFile, provider, ...tpm }: DaemonConfig['tpm'], at: (path: string) => string): DaemonConfig['tpm'] {
  return {
    ...tpm,
    ...(ownerAuthFile !== undefined && { ownerAuthFile: at(ownerAuthFile) }),
    ...(endorsementAuthFile !== undefined && { endorsementAuthFile: at(endorsementAuthFile) }),
    ...(provider && { provider: { ...provider, certificate: typeof provider.certificate === 'string' ? at(provider.certificate) : provider.certificate } }),
  };
}
