/** `ari verifier serve`: the parts of the remote side, joined. */
import { randomBytes } from 'node:crypto';
import { setMaxListeners } from 'node:events';
import type { AddressInfo } from 'node:net';
import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { type Logger, pino } from 'pino';
import { verifyKey } from '../src/base/jws.js';
import { parse, publicJwk } from '../src/base/shape.js';
import { apiServer, type ServerFiles } from './api/server.js';
import { ROUTES } from './api/routes.js';
import { placeOf, readText, type VerifierConfig } from './config.js';
import type { Verifier } from './context.js';
import { Hub } from './hub.js';
import { readSecret } from './keyfiles.js';
import { type Keys, kidOf, loadKeys } from './keys.js';
import { dispatch } from './link/handlers.js';
import { CONNECTION_LIMITS, type ConnectionLimits } from './link/limits.js';
import { serveLink } from './link/server.js';
import { DepositLog } from './log.js';
import { Manifests } from './manifests.js';
import { Nonces } from './nonces.js';
import { Outbox } from './outbox.js';
import { endOverdue } from './offline/close.js';
import { Pace } from './pace.js';
import { Platforms } from './platforms.js';
import { pspRail } from './psp/rail.js';
import { ledgerRail, type Rail } from './rail.js';
import { resumeRefunds } from './refunds.js';
import { Settlement } from './settle.js';
import { StatusLists } from './statuses.js';
import { openStore } from './store/store.js';
import type { Store } from './store/verbs.js';
import { loadTrust } from './trust.js';

/** Payments that could not be ended are looked at again this often. */
const RESUME_MS = 30_000;

export interface VerifierDeps {
  readonly logger?: Logger;
  readonly now?: () => number;
  readonly random?: (bytes: number) => Buffer;
  /** In place of the one that the configuration names; it is closed with the verifier. */
  readonly store?: Store;
  readonly rail?: Rail;
  readonly limits?: ConnectionLimits;
}

export interface RunningVerifier {
  /** Where it listens: the HTTP API, and the link on the same port. */
  readonly url: string;
  /** Ends what is at work, then the connections, then the store. */
  close(): Promise<void>;
}

/** Starts a verifier; what a crash left open is brought to its end before anyone is served. @throws Fault config.*, deposit.unavailable */
export async function startVerifier(config: VerifierConfig, deps: VerifierDeps = {}): Promise<RunningVerifier> {
  const files = serverFiles(config);
  const store = deps.store ?? (await openPlace(config));
  try {
    const stop = new AbortController();
    setMaxListeners(0, stop.signal); // every event stream waits for it
    const v = await verifierOf(config, store, deps, stop.signal);
    await v.log.open();
    await resume(v);
    return await serve(v, stop, files, deps.limits ?? CONNECTION_LIMITS);
  } catch (error) {
    await store.close();
    throw error;
  }
}

function serverFiles({ tls, api }: VerifierConfig): ServerFiles {
  return { tls: tls ? { cert: readText(tls.certFile), key: readSecret(tls.keyFile) } : null, adminToken: readSecret(api.adminTokenFile) };
}

async function openPlace(config: VerifierConfig): Promise<Store> {
  const place = placeOf(config);
  if ('path' in place) mkdirSync(dirname(place.path), { recursive: true, mode: 0o700 });
  return openStore(place);
}

async function verifierOf(config: VerifierConfig, store: Store, { logger, now = Date.now, random = randomBytes, ...deps }: VerifierDeps, stopping: AbortSignal): Promise<Verifier> {
  const keys = loadKeys(config.keys.dir, config.deposit.origin);
  const rail = deps.rail ?? railOf(config, keys, now);
  const trust = await loadTrust(config, keys, store, now());
  const v: Verifier = {
    config, keys, trust, store, now, random, hub: new Hub(), outbox: new Outbox(() => v), stopping, logger: logger ?? pino({ level: 'info' }),
    nonces: new Nonces(keys.nonce, config.nonce.lifeS, random), pace: new Pace(), platforms: new Platforms(store), manifests: new Manifests(store, trust), log: new DepositLog(store, keys.log, config.deposit), settlement: new Settlement(() => v, rail), statuses: new StatusLists(() => v),
  };
  return v;
}

/** Payments, refunds and offline allowances that are still open. */
async function resume(v: Verifier): Promise<void> {
  v.log.soon();
  await v.settlement.resume();
  await resumeRefunds(v);
  await endOverdue(v);
}

/** The rail that the configuration names. @throws Fault config.unreadable, intake.* for a key file that holds no public key */
function railOf({ psp, issuers }: VerifierConfig, keys: Keys, now: () => number): Rail {
  if (psp === null) return ledgerRail;
  const jwk = parse(publicJwk, readText(psp.keyFile), psp.keyFile);
  return pspRail({ url: psp.url, issuer: issuers.settlement, signer: keys.settlement, provider: verifyKey(jwk, kidOf('settlement', jwk)), now });
}

async function serve(v: Verifier, stop: AbortController, files: ServerFiles, limits: ConnectionLimits): Promise<RunningVerifier> {
  const app = apiServer(v, ROUTES, files);
  const link = serveLink(v, app.server, dispatch, limits);
  await app.listen(v.config.listen);
  v.outbox.start();
  const resuming = setInterval(() => void resume(v).catch((err: unknown) => v.logger.error({ err }, 'resume failed')), RESUME_MS);
  const { address, family, port } = app.server.address() as AddressInfo;
  const host = family === 'IPv6' ? `[${address}]` : address;
  return {
    url: `${files.tls ? 'https' : 'http'}://${host}:${port}`,
    async close() {
      clearInterval(resuming);
      stop.abort();
      await v.outbox.close();
      await link.close();
      await app.close();
      await v.settlement.idle();
      await v.log.close();
      await v.store.close();
    },
  };
}
