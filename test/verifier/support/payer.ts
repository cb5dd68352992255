/** A device with an agent and a user who pays: enrolled over the real link, with a carrier, money in it and a mandate. */
import { randomBytes } from 'node:crypto';
import { sha256, type Sha256, toB64u } from '../../../src/base/bytes.js';
import { type Signer, thumbprint, verifyKey } from '../../../src/base/jws.js';
import { type LinkBody, MANIFEST_PAGE, type VerifierMessage } from '../../../src/link.js';
import { CARRIER_REQUEST, type CarrierRequest, type CarrierRules, rulesHash, USER_ORDER, type UserOrder } from '../../../src/objects/carrier.js';
import { CONFIRMATION, type Confirmation, type Policy } from '../../../src/objects/decision.js';
import type { AgentClaims } from '../../../src/objects/claims.js';
import type { PlatformEvidence } from '../../../src/objects/evidence.js';
import { type Intent, paymentHash } from '../../../src/objects/intent.js';
import { CARRIER_INSTRUMENT, type Mandate, OPEN_PAYMENT_VCT } from '../../../src/objects/mandate.js';
import { AGENT_MANIFEST } from '../../../src/objects/manifest.js';
import { open, seal, type Verified } from '../../../src/objects/signed.js';
import type { AgentManifest } from '../../../src/objects/manifest.js';
import { closedHash, closeMandate, issueMandate, mandateHash } from '../../../src/sdjwt/index.js';
import { claimsFor, MANIFEST, PCRS, TestDevice } from '../../support/device.js';
import { closedFor } from '../../support/examples.js';
import { testSigner } from '../../support/keys.js';
import { TestLink } from './link.js';
import { freshId, ISSUER, TestService, withKid } from './service.js';
import type { VerifierDeps } from '../../../verifier/main.js';

const PUBLISHER = withKid('publisher', 'publisher');
const nowS = (): number => Math.floor(Date.now() / 1000);
export const POLICY = { allowSimulated: true, pcrs: PCRS };

export class TestPayer {
  readonly service: TestService;
  readonly device: TestDevice;
  readonly agent: Signer = testSigner('agent');
  readonly publisher = PUBLISHER;
  readonly manifest: Verified<AgentManifest>;
  link!: TestLink;
  userId!: string;
  user!: Signer;
  deviceId!: string;
  platform!: PlatformEvidence;
  carrierId = freshId('crr');
  rules!: CarrierRules;
  mandate!: string;
  private spare: Sha256[] = [];

  private constructor(service: TestService, device: TestDevice, manifest: AgentManifest = MANIFEST) {
    this.service = service;
    this.device = device;
    this.manifest = open(AGENT_MANIFEST, seal(AGENT_MANIFEST, manifest, PUBLISHER), () => verifyKey(PUBLISHER.jwk, PUBLISHER.kid));
  }

  /** `toml`: more of the verifier's configuration. `roots`: more test roots, PEM. `manifest`: of the agent that pays. */
  static async start(deps: VerifierDeps = {}, toml = '', roots = '', manifest?: AgentManifest): Promise<TestPayer> {
    const device = await TestDevice.start();
    const service = await new TestService({ rootPem: device.swtpm.caRootPem + roots, policy: POLICY, publishers: [PUBLISHER], toml }).start(deps);
    const payer = new TestPayer(service, device, manifest);
    ({ userId: payer.userId, signer: payer.user } = await service.user('user'));
    return payer;
  }

  /** The user's side alone: the device is a sidecar of its own, whose TPM these roots vouch for. */
  static async ofSidecar(rootPem: string, policy: Partial<Policy>, manifest?: AgentManifest): Promise<TestPayer> {
    const service = await new TestService({ rootPem, policy: { allowSimulated: true, ...policy }, publishers: [PUBLISHER] }).start();
    const payer = new TestPayer(service, null as never, manifest);
    ({ userId: payer.userId, signer: payer.user } = await service.user('user'));
    return payer;
  }

  /** Another device of the same user at the same verifier, which must trust its TPM's root. */
  beside(device: TestDevice): TestPayer {
    const { userId, user, carrierId, manifest } = this;
    return Object.assign(new TestPayer(this.service, device), { userId, user, carrierId, manifest });
  }

  async stop(): Promise<void> {
    this.link?.close();
    await this.service.stop();
    await this.device.stop();
  }

  hello(): LinkBody<'hello'> {
    return { build: 'test', akName: this.device.akName.toString('hex'), tier: 'T2', reason: null, agents: [{ agentId: MANIFEST.agent.id, manifestSha256: this.manifest.sha256, jwk: this.agent.jwk }] };
  }

  /** Says hello. @returns the first nonce for a platform part */
  async greet(): Promise<Sha256> {
    this.link = await TestLink.open(this.service.linkUrl);
    this.link.send('hello', this.hello());
    await this.link.next('policy');
    return this.platformNonce();
  }

  async platformNonce(): Promise<Sha256> {
    return (await this.link.next('nonces', ({ purpose }) => purpose === 'platform')).nonces[0]!.nonce;
  }

  async paymentNonce(): Promise<Sha256> {
    if (this.spare.length === 0) this.spare = (await this.link.next('nonces', ({ purpose }) => purpose === 'payment')).nonces.map(({ nonce }) => nonce);
    return this.spare.shift()!;
  }

  async code(reEnrol = false): Promise<string> {
    return (await this.service.post('/v1/trust/enrol-codes', { user_id: this.userId, re_enrol: reEnrol })).code;
  }

  /** The register begins anew over a nonce of this verifier, as a sidecar does it after a boot. */
  async beginLog(nonce: Sha256): Promise<void> {
    await this.device.rewriteRegister([]);
    await this.device.beginEpoch(nonce);
  }

  async challenge(code: string): Promise<LinkBody<'enrol_challenge'>> {
    const answer = await this.link.ask('enrol_begin', { ...this.device.begin, code });
    if (answer.type !== 'enrol_challenge') throw new Error(JSON.stringify(answer.body));
    return answer.body;
  }

  async proof(challenge: LinkBody<'enrol_challenge'>): Promise<LinkBody<'enrol_proof'>> {
    this.platform = await this.device.platform({ nonce: challenge.nonce, aud: ISSUER });
    return { sessionId: challenge.sessionId, answer: toB64u(await this.device.answer(challenge)), certify: null, evidence: this.platform, log: this.device.delta() };
  }

  async enrol(code?: string): Promise<LinkBody<'welcome'>> {
    await this.beginLog(await this.greet());
    await this.device.measure('agent_start', { agent_id: MANIFEST.agent.id });
    const answer = await this.link.ask('enrol_proof', await this.proof(await this.challenge(code ?? (await this.code()))));
    return this.welcomed(answer);
  }

  /** A new connection of the enrolled device. */
  async reconnect(): Promise<LinkBody<'welcome'>> {
    this.link.close();
    const nonce = await this.greet();
    await this.device.increment();
    this.platform = await this.device.platform({ nonce, aud: ISSUER });
    const answer = await this.link.ask('platform', { evidence: this.platform, log: this.device.delta() });
    return this.welcomed(answer);
  }

  /** Brings the manifest that the verifier lacks. */
  private async welcomed({ type, body }: VerifierMessage): Promise<LinkBody<'welcome'>> {
    if (type !== 'welcome') throw new Error(JSON.stringify(body));
    this.deviceId = body.deviceId;
    if (body.manifests.includes(this.manifest.sha256)) for (const page of this.manifestPages()) await this.link.ask('manifest', page);
    return body;
  }

  /** Its manifest in pages of so many characters. */
  manifestPages({ sha256: manifestSha256, token }: Pick<Verified<AgentManifest>, 'sha256' | 'token'> = this.manifest, of = MANIFEST_PAGE): LinkBody<'manifest'>[] {
    return Array.from({ length: Math.ceil(token.length / of) }, (_, n) => ({ manifestSha256, size: token.length, from: n * of, text: token.slice(n * of, (n + 1) * of) }));
  }

  carrierRequest(changes: Partial<CarrierRequest> = {}): string {
    this.rules = {
      salt: toB64u(Buffer.alloc(16, 1)), perPaymentMax: 20_000n, totalMax: 10_000_000n, windows: [], scenarios: ['gift.flowers'],
      payees: [{ id: 'merchant_1', origin: 'https://flowers.example', scenario: 'gift.flowers' }], notBefore: nowS() - 100, notAfter: nowS() + 86_400, hours: null,
      levels: ['L0', 'L1', 'L2', 'L3', 'L4'], minTier: 'T1', confirmAbove: 50_000n, offline: null, ...changes.rules,
    };
    const request: CarrierRequest = { jti: this.carrierId, sub: this.userId, iat: nowS(), exp: nowS() + 600, rev: 1, currency: 'CNY', agents: [MANIFEST.agent.id], ...changes, rules: this.rules };
    return seal(CARRIER_REQUEST, request, this.user);
  }

  async openCarrier(amount = 10_000_000): Promise<void> {
    await this.service.post('/v1/delegation/carriers', { request: this.carrierRequest() });
    if (amount > 0) await this.service.post(`/v1/delegation/carriers/${this.carrierId}/fund`, { event_id: 'first', amount });
  }

  mandateToken(changes: Partial<Mandate> = {}): string {
    const value = {
      iss: 'wallet.example', jti: freshId('mnd'), sub: this.userId, iat: nowS() - 10, nbf: nowS() - 10, exp: nowS() + 3600, cnf: { jwk: this.agent.jwk },
      agent: { id: MANIFEST.agent.id, version: MANIFEST.agent.version, manifestSha256: this.manifest.sha256 }, level: 'L4' as const, mode: 'delegated' as const,
      task: { id: null, summary: 'flowers, now and then', textSha256: null, maxPayments: null }, carrier: { id: this.carrierId, rulesSha256: rulesHash(this.rules) }, ...changes,
    };
    const range = { type: 'payment.amount_range' as const, currency: 'CNY', max: 50_000n };
    const instruments = { type: 'payment.allowed_payment_instruments' as const, allowed: [{ id: this.carrierId, type: CARRIER_INSTRUMENT }] };
    return issueMandate(value, { vct: OPEN_PAYMENT_VCT, constraints: [range, instruments], cnf: value.cnf, iat: nowS() - 10, exp: nowS() + 3600 }, this.user, randomBytes(16));
  }

  async giveMandate(changes: Partial<Mandate> = {}): Promise<string> {
    this.mandate = this.mandateToken(changes);
    return (await this.service.post('/v1/delegation/mandates', { device_id: this.deviceId, mandate: this.mandate })).mandate_id;
  }

  intent(changes: Partial<Intent> = {}): Intent {
    return {
      v: 'ari-intent-1', salt: toB64u(randomBytes(16)), protocol: 'native', payee: { id: 'merchant_1', origin: 'https://flowers.example', name: 'Demo Flowers' }, amount: { amount: 9900n, currency: 'CNY' },
      bound: 'exact', captureUntil: null, grade: 'C', scenario: 'gift.flowers', order: { ref: 'order-1', termsSha256: sha256('terms') }, request: null, taskId: null, carrierId: this.carrierId,
      idempotencyKey: freshId('evt'), expiresAt: nowS() + 300, ...changes,
    };
  }

  /** The message of one attempt, honestly made over a fresh nonce. */
  async attempt(intent: Intent, { paymentId = freshId('pay'), attempt = 1, nonce, agent }: { paymentId?: string; attempt?: number; nonce?: Sha256; agent?: AgentClaims } = {}): Promise<LinkBody<'payment'>> {
    const [message] = await this.attempts([intent], { nonce, agent });
    return { ...message!, paymentId, attempt };
  }

  /** First attempts of several payments under one TPM signature. */
  async attempts(intents: Intent[], { nonce, agent = claimsFor(this.manifest) }: { nonce?: Sha256 | undefined; agent?: AgentClaims | undefined } = {}): Promise<LinkBody<'payment'>[]> {
    const closings = [];
    for (const intent of intents) closings.push({ intent, ...this.close(intent, nonce ?? (await this.paymentNonce())) });
    const evidences = await this.device.payAll(this.platform, closings.map(({ intent, over, closedMandate }) => ({
      nonce: over, aud: ISSUER, paymentSha256: paymentHash(intent), mandateSha256: mandateHash(this.mandate), closedSha256: closedHash(closedMandate), jkt: thumbprint(this.agent.jwk), agent,
    })));
    return closings.map(({ intent, closedMandate }, i) => ({ paymentId: freshId('pay'), attempt: 1, intent, mandate: this.mandate, closedMandate, evidence: evidences[i]!.payment, findings: [] }));
  }

  private close(intent: Intent, over: Sha256): { over: Sha256; closedMandate: string } {
    const closed = { ...closedFor(intent), iat: nowS(), exp: nowS() + 60 };
    return { over, closedMandate: closeMandate({ mandateToken: this.mandate, closed, aud: ISSUER, nonce: over, iat: nowS() }, this.agent, randomBytes(16)) };
  }

  async decision(message: LinkBody<'payment'>): Promise<LinkBody<'decision'>> {
    const answer = await this.link.ask('payment', message);
    if (answer.type !== 'decision') throw new Error(JSON.stringify(answer.body));
    return answer.body;
  }

  confirmation(message: LinkBody<'payment'>, changes: Partial<Confirmation> = {}): string {
    const { intent, paymentId } = message;
    return seal(CONFIRMATION, {
      jti: freshId('cnf'), sub: this.userId, iat: nowS(), exp: nowS() + 300, paymentId, paymentSha256: paymentHash(intent), termsSha256: intent.order.termsSha256, amount: intent.amount, payee: intent.payee, ...changes,
    }, this.user);
  }

  order(action: UserOrder['action'], subject: string, jti = freshId('evt')): string {
    return seal(USER_ORDER, { jti, sub: this.userId, iat: nowS(), exp: nowS() + 60, action, subject }, this.user);
  }
}
