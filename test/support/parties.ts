import { sha256, toB64u } from '../../src/base/bytes.js';
import type { Signer } from '../../src/base/jws.js';
import { logSigner } from '../../src/deposit/note.js';
import { ROLES, type Role } from '../../src/names.js';
import type { AuthorityState, Carrier } from '../../src/objects/carrier.js';
import type { AgentClaims } from '../../src/objects/claims.js';
import type { Policy } from '../../src/objects/decision.js';
import type { DeviceRecord } from '../../src/objects/device.js';
import type { Intent } from '../../src/objects/intent.js';
import { CARRIER_INSTRUMENT, CLOSED_PAYMENT_VCT, type ClosedPayment, type Mandate, OPEN_PAYMENT_VCT, type OpenPayment } from '../../src/objects/mandate.js';
import type { AgentManifest } from '../../src/objects/manifest.js';
import { seal } from '../../src/objects/signed.js';
import { type Trust, type TrustFile, trustOf } from '../../src/objects/trust.js';
import { USER_KEY } from '../../src/objects/userkey.js';
import { manifestFiles, treeHash } from '../../attest/manifest.js';
import { PCRS, TestDevice } from './device.js';
import { AGENT, SIGNERS, testSigner } from './keys.js';

export type Party = Exclude<Role, 'consent'>;
const { consent, ...parties } = SIGNERS;
export const PARTIES: Readonly<Record<Party, Signer>> = parties;
export const OTHER_USER = testSigner('another user', `${ROLES.user}-another`);
export const AGENT_KEY = AGENT;
export const LOG = logSigner('log.example/deposit', Buffer.alloc(32, 9));

export const ulid = (n: number): string => String(n).padStart(26, '0');
export const USER = `usr_${ulid(1)}`;
export const ISSUER = 'https://verifier.example';
export const OWNERS: Record<Party, string> = { verifier: ISSUER, carrier: 'https://carrier.example', settlement: 'https://psp.example', operator: ISSUER, publisher: 'agents.example', user: USER };
const published = (role: Role, owner: string, { kid, jwk }: Signer): TrustFile['keys'][number] => ({ ...jwk, kid, use: 'sig', alg: 'ES256', ariRole: role, ariSub: owner });
/** As a verifier publishes them: users' keys are not among them. */
export const KEYS_FILE: TrustFile = {
  keys: [...(Object.keys(PARTIES) as Party[]).filter((role) => role !== 'user').map((role) => published(role, OWNERS[role], PARTIES[role])), published('consent', ISSUER, consent)],
  ariLogs: [LOG.vkey],
};
export const TRUST: Trust = trustOf(KEYS_FILE);

const OWNER_OF = new Map([[PARTIES.user.kid, USER], [OTHER_USER.kid, `usr_${ulid(2)}`]]);
/** The record of a user's key, in the form in which bundles carry it; none of a key that nobody registered. */
export const recordsOf = ({ kid, jwk }: Signer): string[] => {
  const sub = OWNER_OF.get(kid);
  return sub === undefined ? [] : [seal(USER_KEY, { iss: ISSUER, iat: 1_799_000_000, sub, kid, jwk }, consent)];
};

export const NOW_MS = 1_800_000_000_000;
export const NOW = NOW_MS / 1000;
export const salt = (n: number): Buffer => Buffer.alloc(16, n);
export const hash = (text: string): string => sha256(text);
export const PAYMENT = `pay_${ulid(1)}`;

/** A mandate before its disclosures are made. */
export type Unsigned = Omit<Mandate, 'vct' | 'delegatePayload' | '_sdAlg'>;

export const manifestOf = (): AgentManifest => ({
  jti: 'manifest-1', iss: OWNERS.publisher, iat: NOW - 1000, agent: { id: 'com.example.shopper', version: '1.0.0', publisher: OWNERS.publisher },
  files: [{ path: 'agent.js', sha256: hash('agent.js') }], interpreters: [{ path: '/usr/bin/node', sha256: hash('node') }], mappings: [],
  config: { prompts: [], models: [], tools: [], skills: [] }, launch: { entry: 'agent.js', runtime: 'node', allowAnonymousCode: true },
});
export const carrierOf = (): Carrier => ({
  iss: OWNERS.carrier, jti: `crr_${ulid(1)}`, sub: USER, iat: NOW - 900, nbf: NOW - 900, exp: NOW + 86_400, rev: 1, currency: 'CNY', agents: ['com.example.shopper'], state: 'active',
  rules: {
    salt: toB64u(salt(1)), perPaymentMax: 20_000n, totalMax: 100_000n, windows: [], scenarios: ['gift.flowers'], payees: [{ id: 'merchant_1', origin: 'https://flowers.example', scenario: 'gift.flowers' }],
    notBefore: NOW - 900, notAfter: NOW + 86_400, hours: null, levels: ['L0', 'L1', 'L2', 'L3'], minTier: 'T2', confirmAbove: 15_000n, offline: null,
  },
});
export const stateOf = ({ jti, rev, rules }: Carrier, mandateId: string): AuthorityState => ({
  carrier: { carrierId: jti, rev, state: 'active', stateSeq: 1, totalMax: rules.totalMax, available: 50_000n, reserved: 0n, spent: 0n },
  mandate: { mandateId, state: 'valid', uses: 0 }, windows: [], scenario: 'gift.flowers',
});
export const mandateOf = (manifestSha256: string, rulesSha256: string): Unsigned => ({
  iss: 'https://wallet.example', jti: `mnd_${ulid(1)}`, sub: USER, iat: NOW - 800, nbf: NOW - 800, exp: NOW + 3600, cnf: { jwk: AGENT_KEY.jwk },
  agent: { id: 'com.example.shopper', version: '1.0.0', manifestSha256 }, level: 'L3', mode: 'delegated',
  task: { id: 'task-1', summary: 'flowers for a friend', textSha256: null, maxPayments: 1 }, carrier: { id: `crr_${ulid(1)}`, rulesSha256 },
});
export const openOf = (): OpenPayment => ({ vct: OPEN_PAYMENT_VCT, constraints: [{ type: 'payment.amount_range', currency: 'CNY', max: 20_000n }], cnf: { jwk: AGENT_KEY.jwk }, iat: NOW - 800, exp: NOW + 3600 });
export const intentOf = (): Intent => ({
  v: 'ari-intent-1', salt: toB64u(salt(2)), protocol: 'native', payee: { id: 'merchant_1', origin: 'https://flowers.example', name: 'Demo Flowers' }, amount: { amount: 9900n, currency: 'CNY' }, bound: 'exact',
  grade: 'C', scenario: null, order: { ref: 'order-1', termsSha256: hash('terms') }, request: null, taskId: 'task-1', carrierId: `crr_${ulid(1)}`, captureUntil: null, idempotencyKey: 'key-1', expiresAt: NOW + 600,
});
export const closedOf = ({ payee, amount, order, carrierId }: Intent, paymentSha256: string): ClosedPayment => ({
  vct: CLOSED_PAYMENT_VCT, transactionId: order.termsSha256, payee: { id: payee.id, name: payee.name ?? payee.id, ...(payee.origin === null ? {} : { website: payee.origin }) }, paymentAmount: amount,
  paymentInstrument: { id: carrierId ?? '', type: CARRIER_INSTRUMENT }, riskData: { ari: { paymentSha256 } }, iat: NOW, exp: NOW + 120,
});
export const claimsOf = (manifest: AgentManifest, manifestSha256: string): AgentClaims => ({
  v: 'ari-agent-1', agentId: manifest.agent.id, manifestSha256, mode: 'attach', exe: { path: '/usr/bin/node', sha256: hash('node'), replaced: false },
  tree: { files: 1, sha256: treeHash(manifestFiles(manifest)), drift: [], changedSinceStart: [] }, mappings: [], injection: { tracerPid: 0, anonymousCode: 3, inspector: false, patchedPages: 0, riskyEnv: [], earlier: [] },
  process: { uid: 1000, gid: 1000, startTicks: '1', noNewPrivs: true, seccomp: 0, capEff: '0000000000000000', capBnd: '0000000000000000', unit: null, cgroup: hash('cgroup'), namespaces: hash('ns'), envNames: [] },
  kernel: { tainted: 0, lockdown: 'integrity', ptraceScope: 2, signedModules: true },
});
export const policyOf = (): Policy => ({
  iss: ISSUER, iat: NOW - 5000, id: 'test', version: 1, stage: 'enforce', allowSimulated: true, levels: ['L0', 'L1', 'L2', 'L3'], minTier: 'T2', pcrs: [...PCRS], platformMaxAgeMs: 60_000,
  requireBootLog: false, requireIma: false, confirmationMaxS: 600,
});
/** What enrolment found, issued at the time of these payments. */
export const recordOf = (device: TestDevice): DeviceRecord => ({ ...device.record.value, iss: ISSUER, iat: NOW - 2000 });

/** An enrolled device whose log has records before and within the evidence. */
export async function startDevice(): Promise<TestDevice> {
  const device = await TestDevice.start();
  await device.measure('sidecar', { version: '1' });
  await device.measure('agent_start', { agent_id: 'com.example.shopper' });
  return device;
}
