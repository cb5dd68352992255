/**
 * The sidecar's standing with its verifier: connect, greet, prove the platform, stay proven. It reconnects for ever with growing pauses; while it is
 * not ready every payment is refused with link.offline, and nothing is queued: a payment proved late would be a payment nobody waits for. What may be
 * paid all the same was allowed ahead (pay/offline.ts).
 */
import { pagesOf } from '../../attest/pages.js';
import type { Sha256 } from '../../src/base/bytes.js';
import { type Fault, asFault, fault, faultTold } from '../../src/base/fault.js';
import { type DeviceMessage, type LinkBody, type VerifierMessage } from '../../src/link.js';
import { type Policy } from '../../src/objects/decision.js';
import { LOG_PAGE, type PlatformEvidence, platformHash } from '../../src/objects/evidence.js';
import type { Verified } from '../../src/objects/signed.js';
import type { ListBefore } from '../tpm/listcopy.js';
import { IMA_PCR } from '../tpm/pcrs.js';
import type { Prover } from '../tpm/types.js';
import { type Shelf, bringManifests } from './manifests.js';
import { NoncePool } from './nonces.js';
import { SigningOrder } from './order.js';
import { NO_LIST, ShownList } from './shownlist.js';
import type { LinkSocket } from './socket.js';

/** A platform part as it is sent, and the IMA list before what it shows. */
interface Part { readonly body: LinkBody<'platform'>; readonly listBefore: ListBefore | null }
/** A platform part that the verifier holds. It and the list before it go into the bundle of each payment that rests on it. */
export interface HeldPlatform { readonly sha256: Sha256; readonly evidence: PlatformEvidence; readonly listBefore: ListBefore | null }
/** A message on its way, so that what waits for its sending need not wait for its answer. */
interface Sent { readonly part: Part; readonly answer: Promise<VerifierMessage> }

const ANSWER_MS = 15_000;
const BACKOFF_MS = { first: 200, most: 15_000 };
/** Part of the policy's age at which a platform quote is made anew: the rest is for the way and the TPM. */
const FRESH = 0.75;

export type SessionState = 'offline' | 'greeting' | 'unenrolled' | 'untrusted' | 'no_tpm' | 'ready';

export interface SessionPorts extends Shelf {
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
}

export class Session {
  state: SessionState = 'offline';
  /** Why the session is not ready, for `ari status`. */
  problem: Fault | null = fault('link.offline');
  welcome: LinkBody<'welcome'> | null = null;
  private policy: Verified<Policy> | null = null;
  private socket: LinkSocket | null = null;
  private platform: (HeldPlatform & { readonly atMs: number }) | null = null;
  private refreshing: Promise<HeldPlatform> | null = null;
  private logKnown = { epoch: '', n: 0 };
  private readonly list: ShownList;
  private stopped = false;
  private wake: (() => void) | null = null;
  private readonly nonces = new NoncePool();
  private readonly order = new SigningOrder();
  private readonly ports: SessionPorts;

  constructor(ports: SessionPorts) {
    this.ports = ports;
    this.list = new ShownList(ports.prover, ports.log);
  }

  /** Runs until {@link stop}. */
  async run(): Promise<void> {
    for (let pause = BACKOFF_MS.first; !this.stopped; pause = Math.min(pause * 2, BACKOFF_MS.most)) {
      try {
        this.state = 'greeting';
        this.socket = await this.ports.connect((message) => this.receive(message));
        if (this.stopped) this.again();
        await this.greet(this.socket);
        pause = BACKOFF_MS.first;
        this.problem = await this.socket.closed;
        this.state = 'offline';
      } catch (error) {
        this.problem = asFault(error);
        this.list.refused(this.problem);
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

  /** For good, also when it is only about to connect. What waits for an answer fails with link.offline. */
  stop(): void {
    this.stopped = true;
    this.again();
  }

  /** There is no connection at all: nothing is being proven on one either. */
  get isDown(): boolean {
    return this.socket === null;
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

  /** A platform part that the verifier holds and that is young enough; makes a new one when needed. One refresh is in flight. */
  async freshPlatform(): Promise<HeldPlatform> {
    const { policy, logFrom } = this.standing();
    const young = this.platform !== null && this.ports.prover.log(logFrom).entries.length <= LOG_PAGE && performance.now() - this.platform.atMs < policy.value.platformMaxAgeMs * FRESH;
    if (this.platform && young && !(await this.ports.prover.platformChanged())) return this.platform;
    return this.provePlatform();
  }

  /** Lets the verifier see what the log says since it last looked: an agent may come and go and never pay. Nothing when it has seen it, or is away. */
  async showLog(): Promise<void> {
    if (this.state === 'ready' && this.ports.prover.log(this.standing().logFrom).entries.length > 0) await this.provePlatform();
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

  /** Signs a payment and sends it, in the order of signatures. @param sign what was signed is journalled when it returns @returns the answer on its way */
  signAndSend(sign: () => Promise<LinkBody<'payment'>>): Promise<{ answer: Promise<VerifierMessage> }> {
    return this.order.payment(async () => {
      const body = await sign();
      return { answer: this.request('payment', body) };
    });
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
    await bringManifests(socket, this.welcome.manifests, this.ports, ANSWER_MS);
    await this.showList(socket);
    this.state = 'ready';
    this.problem = null;
    this.ports.log.info({ device: this.welcome.deviceId, tier: this.welcome.tier, simulated: this.welcome.simulated }, 'the verifier knows this device');
    this.ports.onReady();
  }

  private async enrol(socket: LinkSocket, code: string): Promise<LinkBody<'welcome'>> {
    const challenge = await socket.request('enrol_begin', this.ports.prover.enrolBegin(code), ANSWER_MS);
    if (challenge.type !== 'enrol_challenge') throw fault('link.protocol', { what: `${challenge.type} where a challenge must be` });
    const answer = await this.ports.prover.enrolAnswer(challenge.body);
    this.list.begin();
    const sent = await this.show(socket, challenge.body.nonce, true, (body) => socket.request('enrol_proof', { ...answer, ...body }, ANSWER_MS));
    const welcome = await sent.answer;
    this.ports.usedEnrolCode();
    return this.welcomed(welcome, sent.part);
  }

  /** A code that is not taken may be the one that enrolled this device, and the answer to that was lost; or it is not for a known device. One that is known goes on. */
  private async enrolledBefore(socket: LinkSocket, nonce: Sha256, error: unknown): Promise<LinkBody<'welcome'>> {
    const { code } = asFault(error);
    if (code !== 'enrol.code' && code !== 'enrol.device_conflict') throw error;
    const welcome = await this.prove(socket, nonce).catch((refused: unknown) => { throw asFault(refused).code === 'device.unknown' ? error : refused; });
    this.ports.usedEnrolCode();
    this.ports.log.warn({ code }, 'the enrolment code is not taken and is forgotten: this device is enrolled');
    return welcome;
  }

  private async prove(socket: LinkSocket, nonce: Sha256): Promise<LinkBody<'welcome'>> {
    const { part, answer } = await this.show(socket, nonce, true);
    return this.welcomed(await answer, part);
  }

  private welcomed(message: VerifierMessage, part: Part): LinkBody<'welcome'> {
    if (message.type !== 'welcome') throw fault('link.protocol', { what: `${message.type} where a welcome must be` });
    this.accepted(part);
    return message.body;
  }

  /** The IMA list that the first part could not show is shown now: payments are judged with it. */
  private async showList(socket: LinkSocket): Promise<void> {
    if (this.quotesIma() && this.platform?.evidence.ima === null && (await this.list.isLeft())) await this.refresh(socket);
  }

  private provePlatform(): Promise<HeldPlatform> {
    this.refreshing ??= this.refresh(this.socket!).finally(() => { this.refreshing = null; });
    return this.refreshing;
  }

  private async refresh(socket: LinkSocket): Promise<HeldPlatform> {
    for (;;) {
      try {
        return await this.renew(socket);
      } catch (error) {
        if (!this.list.refused(asFault(error))) throw error;
      }
    }
  }

  private async renew(socket: LinkSocket): Promise<HeldPlatform> {
    const nonce = await this.nonces.next('platform', ANSWER_MS);
    if (nonce === null) throw fault('link.stale');
    if (this.quotesIma()) await this.list.sendPieces(socket, ANSWER_MS);
    const { part, answer } = await this.show(socket, nonce, false);
    await answer;
    return this.accepted(part);
  }

  private show(socket: LinkSocket, nonce: Sha256, connection: boolean, send = (body: Part['body']) => socket.request('platform', body, ANSWER_MS)): Promise<Sent> {
    return this.order.platform(async () => {
      const part = await this.quote(socket, nonce, connection);
      return { part, answer: send(part.body) };
    });
  }

  private quotesIma(): boolean {
    return this.policy?.value.pcrs.includes(IMA_PCR) === true;
  }

  /** Quote, register and log over one nonce. The whole log goes with a connection: the verifier says what it misses by knowing it already. */
  private async quote(socket: LinkSocket, nonce: Sha256, connection: boolean): Promise<Part> {
    if (!this.policy) throw fault('link.protocol', { what: 'no policy before the platform nonce' });
    const { place, before: listBefore } = this.quotesIma() ? await this.list.part() : NO_LIST;
    const evidence = await this.ports.prover.platform({ nonce, aud: this.ports.aud, pcrs: this.policy.value.pcrs, connection, ima: place });
    const { logEpoch, logN } = evidence.binding;
    const known = this.logKnown.epoch === logEpoch && !connection ? this.logKnown.n : 0;
    const { from, entries } = this.ports.prover.log(known);
    const { before, last } = pagesOf({ epoch: logEpoch, from, entries: entries.slice(0, logN - from) });
    for (const log of before) await socket.request('log_append', { log }, ANSWER_MS);
    return { body: { evidence, log: last }, listBefore: evidence.ima === null ? null : listBefore };
  }

  private accepted({ body: { evidence }, listBefore }: Part): HeldPlatform {
    const held = { sha256: platformHash(evidence), atMs: performance.now(), evidence, listBefore };
    this.platform = held;
    this.logAccepted(evidence.binding.logEpoch, evidence.binding.logN);
    if (evidence.ima !== null) this.list.taken();
    return held;
  }

  private receive(message: VerifierMessage): void {
    switch (message.type) {
      case 'nonces': return this.nonces.add(message.body);
      case 'ima': return this.list.known(message.body);
      case 'policy': return void (this.policy = this.ports.openPolicy(message.body.policy));
      case 'error': return this.ports.log.warn({ code: message.body.code }, message.body.message);
      default: return this.ports.onMessage(message);
    }
  }

  private forget(): void {
    this.nonces.clear();
    this.list.disconnected();
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
