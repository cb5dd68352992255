/** Whom this verifier believes: TPM vendors' roots, publishers of agents, its own keys of today and earlier, and the policy in force. */
import type { TpmTrust } from '../attest/enrol/index.js';
import { fault } from '../src/base/fault.js';
import { encode, parse, stringify } from '../src/base/shape.js';
import type { Json } from '../src/base/json.js';
import type { PublicJwk } from '../src/base/shape.js';
import { type Policy, POLICY } from '../src/objects/decision.js';
import { type KeyFinder, open, type Verified } from '../src/objects/signed.js';
import { parseTrust, type TrustedKey, trustedKey, trustFile, trustOf } from '../src/objects/trust.js';
import type { Role } from '../src/names.js';
import { readText, type VerifierConfig } from './config.js';
import { type Keys, OWN_ROLES } from './keys.js';
import { loadTpmTrust } from './tpms.js';
import type { Store } from './store/verbs.js';

export interface Trust {
  readonly tpm: TpmTrust;
  /** Every role's keys except users', which are in the store. */
  readonly keys: KeyFinder;
  /** Whose a publisher's key is. */
  readonly publisherOf: (kid: string) => string | undefined;
  policy(): Verified<Policy>;
  /** Puts another policy in force. @throws Fault token.signature, token.malformed, store.conflict when the version is not newer */
  enforce(token: string): Promise<void>;
  /** Takes the policy that another process has put in force. */
  refresh(): Promise<void>;
}

export const published = (role: Role, owner: string, kid: string, { kty, crv, x, y }: PublicJwk): TrustedKey => ({ kty, crv, x, y, kid, use: 'sig', alg: 'ES256', ariRole: role, ariSub: owner });

/** Keeps a public key for ever: bundles outlive keys. */
export const publish = (store: Store, key: TrustedKey, nowMs: number): Promise<void> =>
  store.putKey({ kid: key.kid, role: key.ariRole, jwk: stringify(trustedKey, key), fromMs: nowMs });

/** What stands at `/.well-known/jwks.json`: everything a stranger needs to check a bundle offline. Users' keys are not his business: each bundle brings its own. */
export async function keysFile(store: Store, vkey: string): Promise<Json> {
  const rows = (await store.keys()).filter(({ role }) => role !== 'user');
  return encode(trustFile, { keys: rows.map(({ jwk }) => parse(trustedKey, jwk)), ariLogs: [vkey] });
}

function publishersOf(file: string): { keys: KeyFinder; owner: (kid: string) => string | undefined; rows: TrustedKey[] } {
  const text = readText(file);
  const { keys } = parse(trustFile, text, file);
  if (keys.some(({ ariRole }) => ariRole !== 'publisher')) throw fault('config.invalid', { file, what: 'only keys of publishers stand here' });
  const trust = parseTrust(text);
  return { keys: trust.keys, owner: trust.owner, rows: keys };
}

async function ownKeys(store: Store): Promise<KeyFinder> {
  const rows = (await store.keys()).map(({ jwk }) => parse(trustedKey, jwk));
  return trustOf({ keys: rows.filter(({ ariRole }) => OWN_ROLES.some((role) => role === ariRole)), ariLogs: [] }).keys;
}

/** Reads what the configuration names and publishes the keys. @throws Fault config.*, or a fault of the policy's token */
export async function loadTrust(config: VerifierConfig, keys: Keys, store: Store, nowMs: number): Promise<Trust> {
  const owners = { verifier: config.issuers.verifier, carrier: config.issuers.carrier, settlement: config.issuers.settlement, consent: config.issuers.verifier, operator: config.issuers.verifier };
  for (const role of OWN_ROLES) await publish(store, published(role, owners[role], keys[role].kid, keys[role].jwk), nowMs);
  const publishers = publishersOf(config.trust.publishers);
  for (const row of publishers.rows) await publish(store, row, nowMs);
  const own = await ownKeys(store);
  const finder: KeyFinder = (role, kid) => (role === 'publisher' ? publishers.keys(role, kid) : own(role, kid));
  let policy = await policyAtStart(config.trust.policyFile, store, finder);
  const refresh = async (): Promise<void> => {
    const newest = await store.newestPolicy();
    if (newest !== null && newest !== policy.token) policy = open(POLICY, newest, finder);
  };
  return {
    tpm: loadTpmTrust(config.trust),
    keys: finder,
    publisherOf: publishers.owner,
    policy: () => policy,
    async enforce(token) {
      const next = open(POLICY, token, finder);
      await refresh(); // another process may have put a newer one in force, of which this one has not heard
      if (next.value.version <= policy.value.version) throw fault('store.conflict', { what: `version ${next.value.version} of policy ${next.value.id}` });
      await keepPolicy(store, next);
      await refresh(); // or did so meanwhile
    },
    refresh,
  };
}

/**
 * The policy of the file, or a newer one that was put in force since: what the API was told outlives a restart. A file that was changed must say a newer
 * version, or the operator would believe in force what is not.
 */
async function policyAtStart(file: string, store: Store, finder: KeyFinder): Promise<Verified<Policy>> {
  const written = open(POLICY, readText(file).trim(), finder);
  const newest = await store.newestPolicy();
  const inForce = newest === null ? null : open(POLICY, newest, finder);
  if (inForce === null || written.value.version > inForce.value.version) return keepPolicy(store, written);
  if ((await store.policy(written.sha256)) === null) throw fault('config.invalid', { file, what: `version ${written.value.version} is not newer than version ${inForce.value.version}, which is in force` });
  return inForce;
}

async function keepPolicy(store: Store, policy: Verified<Policy>): Promise<Verified<Policy>> {
  const { id, version, stage } = policy.value;
  await store.putPolicy({ policySha256: policy.sha256, id, version, stage, token: policy.token });
  return policy;
}
