/** The verifier's configuration, `/etc/ari/verifier.toml`. Secrets stand in files of their own and are named by path only. */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse as parseToml } from 'smol-toml';
import { z } from 'zod';
import { configOf } from '../src/base/config.js';
import { fault } from '../src/base/fault.js';
import { record } from '../src/base/shape.js';
import { parseWitness } from '../src/deposit/cosignature.js';
import { SERVER_URL } from './store/postgres.js';
import type { StorePlace } from './store/store.js';

/** In place of a file's name: what is shipped with this release. */
export const BUILTIN = 'builtin';

const path = z.string().min(1).max(4096);
const issuer = z.string().max(2048).regex(/^(?:https:\/\/\S+|http:\/\/(?:127\.0\.0\.1|localhost|\[::1\])(?:[:/]\S*)?)$/, 'must be https://, or http:// of this machine');
const vkeyOfWitness = z.string().max(512).refine((vkey) => {
  try {
    return parseWitness(vkey) !== null;
  } catch {
    return false;
  }
}, 'must be the vkey of a witness (c2sp.org/tlog-cosignature, Ed25519)');
const LISTEN = /^(?:\[([0-9a-fA-F:]+)\]|([A-Za-z0-9.-]+)):([0-9]{1,5})$/;
const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

const serverUrl = z.string().max(2048).regex(SERVER_URL, 'must be postgres://USER@HOST/DATABASE')
  .refine((url) => !URL.canParse(url) || new URL(url).password === '', 'must hold no password: it is read from ~/.pgpass or PGPASSFILE, or comes with DATABASE_URL');

const listen = z.string().regex(LISTEN, 'must be HOST:PORT').transform((text) => {
  const [, v6, host, port] = LISTEN.exec(text) ?? [];
  return { host: v6 ?? host ?? '', port: Number(port) };
}).refine(({ port }) => port <= 65_535, 'must have a port of at most 65535');

/** `ledger`: the carrier's own. `http`: a payment service provider at `psp_url`, whose answers are signed by the key in `psp_key_file` (a public JWK). */
const settlement = record({ issuer: issuer.optional(), adapter: z.enum(['ledger', 'http']).default('ledger'), pspUrl: issuer.optional(), pspKeyFile: path.optional() })
  .refine(({ adapter, pspUrl, pspKeyFile }: Provider) => [pspUrl, pspKeyFile].every((one) => (one !== undefined) === (adapter === 'http')), 'must have psp_url and psp_key_file with adapter http, and only then');
interface Provider { adapter: 'ledger' | 'http'; pspUrl?: string | undefined; pspKeyFile?: string | undefined }

const fields = record({
  issuer,
  listen,
  tls: record({ certFile: path, keyFile: path }).optional(),
  /** `path`: a file of this machine. `url`: a PostgreSQL server; its password stands elsewhere. */
  store: record({ path: path.optional(), url: serverUrl.optional() }).refine((store: { path?: string | undefined; url?: string | undefined }) => (store.path === undefined) !== (store.url === undefined), 'must have path or url'),
  keys: record({ dir: path }),
  roles: record({
    carrier: record({ issuer }).optional(),
    settlement: settlement.optional(),
  }).optional(),
  /**
   * Roots are PEM files, or `builtin` for the shipped set: `ek_roots` of vendors, `ak_roots` of clouds that certify attestation keys, `test_roots` of
   * software TPMs: a device below the last is marked simulated.
   */
  trust: record({
    ekRoots: z.array(path).max(256).default([BUILTIN]), akRoots: z.array(path).max(64).default([BUILTIN]), testRoots: z.array(path).max(16).default([]),
    crlDir: path.optional(), crlStale: z.enum(['refuse', 'tell']).default('refuse'), blockListFile: path.default(BUILTIN),
    publishers: path, policyFile: path,
  }),
  /** `origin`: the log's name in its checkpoints, a plain name without scheme. `dir`: where its tiles lie, one folder for each process. `witnesses`: vkeys of those whose cosignatures are taken. */
  deposit: record({ origin: z.string().max(256).regex(/^[^\s+]+$/, 'must be a name without spaces and +'), dir: path.default('log'), witnesses: z.array(vkeyOfWitness).max(16).default([]) }),
  nonce: record({ lifeS: z.int().min(5).max(3600).default(120), pool: z.int().min(1).max(64).default(16) }).prefault({}),
  /** Passkeys: the RP id that they are registered for, and the pages that may ask for them. Without it there are none. */
  passkeys: record({ rpId: z.string().max(253).regex(/^[a-z0-9.-]+$/), origins: z.array(z.string().max(512)).min(1).max(16) }).optional(),
  api: record({ adminTokenFile: path }),
});
type Fields = z.output<typeof fields>;

/** Without TLS everyone on the network could read and change what is sent, so only this machine is served then. */
const shape = fields.refine((config: Fields) => config.tls !== undefined || LOOPBACK.has(config.listen.host), { path: ['listen'], message: 'must be a loopback address when there is no [tls]' });

export interface VerifierConfig extends Omit<Fields, 'roles'> {
  readonly issuers: { readonly verifier: string; readonly carrier: string; readonly settlement: string };
  /** The payment service provider; null when the carrier's own ledger settles. */
  readonly psp: { readonly url: string; readonly keyFile: string } | null;
}

/** @throws Fault config.invalid naming every wrong line */
export function parseConfig(text: string, file: string): VerifierConfig {
  let data: unknown;
  try {
    data = parseToml(text);
  } catch (cause) {
    throw fault('config.invalid', { file, what: (cause as Error).message.split('\n')[0] ?? 'no TOML' });
  }
  const { roles, ...config } = configOf(shape, data, file);
  const { pspUrl, pspKeyFile } = roles?.settlement ?? {};
  const psp = pspUrl === undefined || pspKeyFile === undefined ? null : { url: pspUrl, keyFile: pspKeyFile };
  return { ...config, psp, issuers: { verifier: config.issuer, carrier: roles?.carrier?.issuer ?? config.issuer, settlement: roles?.settlement?.issuer ?? config.issuer } };
}

/** A file that the configuration names, as text. @throws Fault config.unreadable */
export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (cause) {
    throw fault('config.unreadable', { file, what: (cause as NodeJS.ErrnoException).code ?? 'error' });
  }
}

/** Where the store is. */
export const placeOf = ({ store: { path: file, url } }: Pick<VerifierConfig, 'store'>): StorePlace => (file === undefined ? { url: url ?? '' } : { path: file });

/**
 * Reads the file; relative paths in it are taken from its folder.
 * @param databaseUrl a PostgreSQL server in place of what `[store]` says: the environment's word, which may hold a password
 * @throws Fault config.unreadable, config.invalid
 */
export function loadConfig(file: string, databaseUrl = process.env['DATABASE_URL']): VerifierConfig {
  const config = parseConfig(readText(file), file);
  const at = (name: string): string => resolve(dirname(resolve(file)), name);
  const source = (name: string): string => (name === BUILTIN ? name : at(name));
  const { trust, tls } = config;
  return {
    ...config,
    ...(tls && { tls: { certFile: at(tls.certFile), keyFile: at(tls.keyFile) } }),
    store: databaseUrl ? { url: databaseUrl } : config.store.path === undefined ? config.store : { path: at(config.store.path) },
    keys: { dir: at(config.keys.dir) },
    deposit: { ...config.deposit, dir: at(config.deposit.dir) },
    trust: {
      ...trust, ekRoots: trust.ekRoots.map(source), akRoots: trust.akRoots.map(source), testRoots: trust.testRoots.map(at), blockListFile: source(trust.blockListFile),
      ...(trust.crlDir !== undefined && { crlDir: at(trust.crlDir) }), publishers: at(trust.publishers), policyFile: at(trust.policyFile),
    },
    api: { adminTokenFile: at(config.api.adminTokenFile) },
    psp: config.psp && { url: config.psp.url, keyFile: at(config.psp.keyFile) },
  };
}
