/**
 * The sidecar's standing with its verifier: connect, greet, prove the platform, stay proven. It reconnects for ever with growing pauses; while it is
 * not ready every payment is refused with link.offline, and nothing is queued: a payment proved late would be a payment nobody waits for.
 */
import type { Sha256 } from '../../src/base/bytes.js';
import { type Fault, asFault, fault, faultTold } from '../../src/base/fault.js';
import { type DeviceMessage, type LinkBody, type VerifierMessage } from '../../src/link.js';
import { type Policy } from '../../src/objects/decision.js';
import { platformHash } from '../../src/objects/evidence.js';
import type { Verified } from '../../src/objects/signed.js';
import type { Log, Prover } from '../tpm/types.js';
import { NoncePool } from './nonces.js';
import type { LinkSocket } from './socket.js';

const ANSWER_MS = 15_000;
const BACKOFF_MS = { first: 200, most: 15_000 };
/** Part of the policy's age at which a platform quote is made anew: the rest is for the way and the TPM. */
const FRESH = 0.75;

export type SessionState = 'offline' | 'greeting' | 'unenrolled' | 'untrusted' | 'no_tpm' | 'ready';

export interface SessionPorts {
  connect(onMessage: (message: VerifierMessage) => void): Promise<LinkSocket>;
  prover: Prover;
  hello(): Promise<LinkBody<'hello'>>;
  /** The verifier's issuer name: the audience of every binding. */
  aud: string;
  openPolicy(token: string): Verified<Policy>;
  /** The one-time enrolment code, if the operator left one; `usedEnrolCode` forgets it. */
  enrolCode(): string | null;
  usedEnrolCode(): void;
  /** Everything that the verifier says once the device is proven. */
  onMessage(message: VerifierMessage): void;
  onReady(): void;
  log: Log;
}

export class Session {
  state: SessionState = 'offline';
  /** Why the session is not ready, for `ari status`. */
  problem: Fault | null = fault('link.offline');
  welcome: LinkBody<'welcome'> | null = null;
  private policy: Verified<Policy> | null = null;
  private socket: LinkSocket | null = null;
  private platform: { sha256: Sha256; atMs: number; evidence: LinkBody<'platform'>['evidence'] } | null = null;
  private refreshing: Promise<Sha256> | null = null;
  private logKnown = { epoch: '', n: 0 };
  private stopped = false;
  private wake: (() => void) | null = null;
  private readonly nonces = new NoncePool();
  private readonly ports: SessionPorts;

  constructor(ports: SessionPorts) {
    this.ports = ports;
  }

  /** Runs until {@link stop}. */
  async run(): Promise<void> {
    for (let pause = BACKOFF_MS.first; !this.stopped; pause = Math.min(pause * 2, BACKOFF_MS.most)) {
      try {
        this.state = 'greeting';
        this.socket = await this.ports.connect((message) => this.receive(message));
        await this.greet(this.socket);
        pause = BACKOFF_MS.first;
        this.problem = await this.socket.closed;
        this.state = 'offline';
      } catch (error) {
        this.problem = asFault(error);
        this.state = this.problem.code === 'device.unknown' ? 'unenrolled' : this.problem.code.startsWith('tpm.') ? 'no_tpm' : this.problem.code.startsWith('link.') ? 'offline' : 'untrusted';
        this.ports.log.warn({ code: this.problem.code, state: this.state }, this.problem.message);
        this.socket?.close();
      }
      this.forget();
      if (!this.stopped) await this.rest(pause * (0.5 + Math.random() / 2));
    }
  }

  /** Says hello again, now: another key, tier or enrolment code is there. */
  again(): void {
    this.socket?.close();
    this.wake?.();
  }

  stop(): void {
    this.stopped = true;
    this.again();
  }

  /** The audience, policy and log position to prove with. @throws Fault link.offline or what keeps the session from being ready */
  standing(): { aud: string; policy: Verified<Policy>; deviceId: string; logFrom: number } {
    if (this.state !== 'ready' || !this.welcome || !this.policy) throw this.problem ?? fault('link.offline');
    const { epoch } = this.ports.prover.log(0);
    return { aud: this.ports.aud, policy: this.policy, deviceId: this.welcome.deviceId, logFrom: this.logKnown.epoch === epoch ? this.logKnown.n : 0 };
  }

  /** A fresh nonce for one attempt of a payment. @throws Fault link.offline, link.stale */
  async paymentNonce(): Promise<Sha256> {
    this.standing();
    const nonce = await this.nonces.next('payment', 2_000);
    if (nonce === null) throw fault('link.stale');
    return nonce;
  }

  /** The hash of a platform part that the verifier holds and that is young enough; makes a new one when needed. One refresh is in flight. */
  async freshPlatform(): Promise<Sha256> {
    const { policy } = this.standing();
    const young = this.platform !== null && performance.now() - this.platform.atMs < policy.value.platformMaxAgeMs * FRESH;
    if (this.platform && young && !(await this.ports.prover.platformChanged())) return this.platform.sha256;
    this.refreshing ??= this.refresh().finally(() => { this.refreshing = null; });
    return this.refreshing;
  }

  /** The platform part behind a hash: it goes into the bundle. */
  platformPart(sha256: Sha256): LinkBody<'platform'>['evidence'] | null {
    return this.platform?.sha256 === sha256 ? this.platform.evidence : null;
  }

  /** The device record of this session. */
  device(): string {
    this.standing();
    return (this.welcome as LinkBody<'welcome'>).device;
  }

  request<T extends DeviceMessage['type']>(type: T, body: LinkBody<T>): Promise<VerifierMessage> {
    if (!this.socket || this.state !== 'ready') return Promise.reject(this.problem ?? fault('link.offline'));
    return this.socket.request(type, body, ANSWER_MS);
  }

  /** The verifier has the log up to here. */
  logAccepted(epoch: Sha256, n: number): void {
    if (this.logKnown.epoch !== epoch || n > this.logKnown.n) this.logKnown = { epoch, n };
  }

  private async greet(socket: LinkSocket): Promise<void> {
    socket.send('hello', await this.ports.hello());
    const nonce = await Promise.race([this.nonces.next('platform', ANSWER_MS), socket.closed]);
    if (nonce === null) throw fault('link.timeout');
    if (typeof nonce !== 'string') throw nonce;
    if (this.ports.prover.akName === null) throw faultTold(this.ports.prover.fault ?? 'tpm.absent', this.ports.prover.reason ?? 'there is no TPM');
    const code = this.ports.enrolCode();
    this.welcome = await (code === null ? this.prove(socket, nonce) : this.enrol(socket, code).catch((error: unknown) => this.enrolledBefore(socket, nonce, error)));
    this.state = 'ready';
    this.problem = null;
    this.ports.log.info({ device: this.welcome.deviceId, tier: this.welcome.tier, simulated: this.welcome.simulated }, 'the verifier knows this device');
    this.ports.onReady();
  }

  private async enrol(socket: LinkSocket, code: string): Promise<LinkBody<'welcome'>> {
    const challenge = await socket.request('enrol_begin', this.ports.prover.enrolBegin(code), ANSWER_MS);
    if (challenge.type !== 'enrol_challenge') throw fault('link.protocol', { what: `${challenge.type} where a challenge must be` });
    const answer = (await this.ports.prover.enrolAnswer(challenge.body)).toString('base64url');
    const part = await this.quote(challenge.body.nonce, true);
    const welcome = await socket.request('enrol_proof', { sessionId: challenge.body.sessionId, answer, ...part }, ANSWER_MS);
    this.ports.usedEnrolCode();
    return this.welcomed(welcome, part);
  }

  /** A code that is not taken may be the one that enrolled this device, and the answer to that was lost: then the device is known. */
  private async enrolledBefore(socket: LinkSocket, nonce: Sha256, error: unknown): Promise<LinkBody<'welcome'>> {
    if (asFault(error).code !== 'enrol.code') throw error;
    const welcome = await this.prove(socket, nonce).catch((refused: unknown) => { throw asFault(refused).code === 'device.unknown' ? error : refused; });
    this.ports.usedEnrolCode();
    this.ports.log.warn({ code: 'enrol.code' }, 'the enrolment code is not taken and forgotten: this device is enrolled');
    return welcome;
  }

  private async prove(socket: LinkSocket, nonce: Sha256): Promise<LinkBody<'welcome'>> {
    const part = await this.quote(nonce, true);
    return this.welcomed(await socket.request('platform', part, ANSWER_MS), part);
  }

  private welcomed(message: VerifierMessage, part: LinkBody<'platform'>): LinkBody<'welcome'> {
    if (message.type !== 'welcome') throw fault('link.protocol', { what: `${message.type} where a welcome must be` });
    this.accepted(part);
    return message.body;
  }

  private async refresh(): Promise<Sha256> {
    const nonce = await this.nonces.next('platform', ANSWER_MS);
    if (nonce === null) throw fault('link.stale');
    const part = await this.quote(nonce, false);
    await this.request('platform', part);
    return this.accepted(part);
  }

  /** Quote, register and log over one nonce. The whole log goes with a connection: the verifier says what it misses by knowing it already. */
  private async quote(nonce: Sha256, connection: boolean): Promise<LinkBody<'platform'>> {
    if (!this.policy) throw fault('link.protocol', { what: 'no policy before the platform nonce' });
    const evidence = await this.ports.prover.platform({ nonce, aud: this.ports.aud, pcrs: this.policy.value.pcrs, connection });
    const known = this.logKnown.epoch === evidence.binding.logEpoch && !connection ? this.logKnown.n : 0;
    return { evidence, log: this.ports.prover.log(known) };
  }

  private accepted(part: LinkBody<'platform'>): Sha256 {
    const sha256 = platformHash(part.evidence);
    this.platform = { sha256, atMs: performance.now(), evidence: part.evidence };
    this.logAccepted(part.evidence.binding.logEpoch, part.evidence.binding.logN);
    return sha256;
  }

  private receive(message: VerifierMessage): void {
    switch (message.type) {
      case 'nonces': return this.nonces.add(message.body);
      case 'policy': return void (this.policy = this.ports.openPolicy(message.body.policy));
      case 'error': return this.ports.log.warn({ code: message.body.code }, message.body.message);
      default: return this.ports.onMessage(message);
    }
  }

  private forget(): void {
    this.nonces.clear();
    this.platform = null;
    this.socket = null;
  }

  private rest(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.wake = () => { clearTimeout(timer); resolve(); };
    });
  }
}
