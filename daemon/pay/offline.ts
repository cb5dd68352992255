/**
 * Paying while the verifier is away, and settling up when it is back. The device is its own judge here, by the verifier's own rules on its own evidence: what
 * the verifier would refuse later is refused now, before a payee trusts it. A payment is in the journal before it is told.
 */
import { appraisePayment } from '../../attest/verify/index.js';
import type { OfflineLeft } from '../../src/agentapi.js';
import { asFault, type Fault, fault, faultTold, type Finding, finding } from '../../src/base/fault.js';
import { type Signer, thumbprint } from '../../src/base/jws.js';
import { precheckOffline } from '../../src/law/index.js';
import { offlineNonce } from '../../src/objects/allowance.js';
import type { AgentClaims } from '../../src/objects/claims.js';
import { EVIDENCE_PROFILE, type LogEntry } from '../../src/objects/evidence.js';
import { paymentHash } from '../../src/objects/intent.js';
import { closeMandate, closedHash, mandateHash } from '../../src/sdjwt/index.js';
import type { OfflineProof } from '../tpm/offline.js';
import { inTurn } from '../tpm/turns.js';
import type { Allowances, Allowed } from './allowances.js';
import { isWaiting, type Payment } from './book.js';
import { closedPaymentOf } from './intent.js';
import { type Asked, type Ports, ruled } from './pay.js';

/** A part of an allowance's life after which a new one is asked for: the device connects anew, for only a connection certifies the counter. */
const HALF = 2;

export class Offline {
  readonly allowances: Allowances;
  readonly #on: () => Ports;
  readonly #aud: string;
  readonly #turn = inTurn();
  /** Values of the counter that were used, also for payments that were not made then. */
  readonly #used = new Map<string, bigint>();

  /** `on` is asked for when work begins: this is itself a part of it. */
  constructor(allowances: Allowances, aud: string, on: () => Ports) {
    this.allowances = allowances;
    this.#aud = aud;
    this.#on = on;
  }

  /** @throws Fault with the first reason against it; nothing was paid then. link.stale: the verifier came back meanwhile, ask again */
  pay(payment: Payment, allowed: Allowed, { peer, agent }: Asked): Promise<Payment> {
    return this.#turn(async () => {
      const on = this.#on();
      peer.stillThere();
      assertNone(this.#precheck(payment, allowed, null));
      const claims = await on.measure(peer, agent);
      peer.stillThere();
      const key = await on.prover.agentKey(agent.id);
      const { proof, closedMandate } = await this.#prove(payment, allowed, claims, key);
      this.#judge({ payment, allowed, proof, agent });
      peer.stillThere();
      const { jti } = allowed.allowance.value;
      return on.book.write(payment, {
        state: 'permitted', attempt: 1, tier: on.prover.tier, ruling: null,
        proof: { mandate: allowed.token, closedMandate, evidence: proof.evidence, platform: proof.platform, log: before(on, allowed), akName: allowed.device.value.akName },
        offline: { allowanceId: jti, allowance: allowed.allowance.token, ctr: proof.ctr, device: allowed.device.token },
      });
    });
  }

  /**
   * Brings what was paid meanwhile, gives back what is left, and asks for the next allowances. `connected`: the device has just come, which has ended every
   * allowance that it had.
   * @throws Fault of the link, or of a verifier in trouble: to be done again
   */
  settleUp(connected: boolean): Promise<void> {
    return this.#turn(async () => {
      const on = this.#on();
      if (connected) await this.allowances.keepOnly(new Set());
      const dropped = await this.allowances.keepOnly(new Set(on.wallet.offline().map(({ mandate }) => mandate.value.jti)));
      for (const payment of waiting(on)) await this.#bring(payment, on);
      await on.session.request('allowance_return', {});
      for (const { token, mandate, carrier } of on.wallet.offline()) await this.#ask(mandate.value.jti, { mandate: token, carrier: carrier.token }, on);
      if (dropped) on.session.again(); // its counter ends what was allowed and is not any more
    });
  }

  /** True when an allowance has lived half its life, and nothing is under way that a new connection would disturb. */
  isStale(): boolean {
    const on = this.#on();
    const nowS = on.nowMs() / 1000;
    const busy = [...on.book.all()].some(({ state }) => state === 'proving' || state === 'permitted' || state === 'deposited');
    return !busy && !on.session.isDown && this.allowances.all().some(({ allowance: { value: { iat, exp } } }) => nowS > iat + (exp - iat) / HALF);
  }

  /** What an agent may still pay offline, as this device knows it. */
  leftOf(agentId: string): OfflineLeft[] {
    return this.allowances.all().filter(({ mandate }) => mandate.value.agent.id === agentId).map(({ allowance: { value: { jti, mandateId, maxCount, maxTotal, currency, exp } } }) => {
      const { count, spent } = spentUnder(this.#on(), jti);
      return { allowanceId: jti, mandateId, count: Math.max(0, maxCount - count), total: { amount: maxTotal > spent ? maxTotal - spent : 0n, currency }, exp };
    });
  }

  /**
   * The last value of the counter that this device knows of. When it stands higher, it counted elsewhere: on a connection of which no answer came,
   * which may have ended the allowance, or beside a copy of its state. Then nothing is paid before the verifier was asked.
   */
  #lastOf({ allowance: { value: { jti, ctrBase } } }: Allowed): bigint {
    return [spentUnder(this.#on(), jti).ctrLast, this.#used.get(jti) ?? 0n].reduce((last, ctr) => (ctr > last ? ctr : last), ctrBase);
  }

  #precheck({ intent }: Payment, allowed: Allowed, made: { ctr: bigint; clock: bigint } | null): Finding[] {
    const on = this.#on();
    const { value } = allowed.allowance;
    const state = { allowanceId: value.jti, ctrEnd: null, ...spentUnder(on, value.jti) };
    return precheckOffline({ intent, mandate: allowed, carrier: allowed.carrier, offline: { allowance: value, state, made, receivedMs: null }, nowMs: on.nowMs() });
  }

  /** K_a closes the mandate over the nonce of the counter's value; the TPM signs the binding and the counter. */
  async #prove(payment: Payment, allowed: Allowed, agent: AgentClaims, key: Signer): Promise<{ proof: OfflineProof; closedMandate: string }> {
    const on = this.#on();
    let closedMandate = '';
    const proof = await on.prover.proveOffline({
      aud: this.#aud, pcrs: allowed.policy.value.pcrs, epoch: allowed.epoch, logFrom: allowed.logFrom, last: this.#lastOf(allowed),
      assertAway: () => { if (!on.session.isDown) throw fault('link.stale'); }, // from here on a connection certifies the counter after this turn
      nonceOf: (ctr) => {
        const { jti } = allowed.allowance.value;
        this.#used.set(jti, ctr);
        return offlineNonce(jti, ctr);
      },
      close: (nonce) => {
        const nowS = Math.floor(on.nowMs() / 1000);
        const paymentSha256 = paymentHash(payment.intent);
        const closed = closedPaymentOf(payment.intent, allowed.carrier.value.jti, paymentSha256, nowS);
        closedMandate = closeMandate({ mandateToken: allowed.token, closed, aud: this.#aud, nonce, iat: nowS }, key, on.random(16));
        return Promise.resolve({ paymentSha256, mandateSha256: mandateHash(allowed.token), closedSha256: closedHash(closedMandate), agent, jkt: thumbprint(key.jwk) });
      },
    });
    return { proof, closedMandate };
  }

  /** The verifier's appraisal and rules, on what was just signed. @throws Fault with the first reason against it */
  #judge({ payment, allowed, proof: { evidence, platform, ctr, clock }, agent }: { payment: Payment; allowed: Allowed; proof: OfflineProof; agent: Asked['agent'] }): void {
    const { binding: { nonce, aud, paymentSha256, mandateSha256, closedSha256, jkt } } = evidence;
    const result = appraisePayment({
      evidence: { eatProfile: EVIDENCE_PROFILE, evidenceType: 'tpm2', akName: allowed.device.value.akName, platform, payment: evidence },
      expected: { nonce, aud, paymentSha256, mandateSha256, closedSha256, jkt, ctr }, device: { record: allowed.device, state: 'enrolled', clock: null, head: null, latest: null },
      platform: null, manifest: agent.manifest, policy: allowed.policy.value, earlier: before(this.#on(), allowed),
    });
    if (result.status !== 'affirming') assertNone([result.findings.find(({ code }) => code === result.code) ?? finding('decision.platform', { status: result.status })]);
    assertNone(this.#precheck(payment, allowed, { ctr, clock }));
  }

  /** @throws Fault of the link or of a verifier in trouble: then it is brought again */
  async #bring(payment: Payment, on: Ports): Promise<void> {
    const { proof, offline, paymentId, intent } = payment;
    if (!proof || !offline) return;
    const { mandate, closedMandate, evidence, platform } = proof;
    try {
      const answer = await on.session.request('offline', { paymentId, allowance: offline.allowance, intent, mandate, closedMandate, evidence, platform });
      if (answer.type === 'decision') await ruled(payment, answer.body, on);
    } catch (error) {
      const why = asFault(error);
      if (!isFinal(why)) throw why;
      await on.book.write(payment, { state: 'failed', code: why.code, message: why.message });
    }
  }

  async #ask(mandateId: string, { mandate, carrier }: { mandate: string; carrier: string }, on: Ports): Promise<void> {
    try {
      await on.session.freshPlatform();
      const answer = await on.session.request('allowance_ask', { mandateId });
      if (answer.type !== 'allowance') return;
      const { policy, logFrom } = on.session.standing();
      await this.allowances.put({ allowance: answer.body.allowance, mandate, carrier, userKeys: [...on.wallet.userKeys], policy: policy.token, device: on.session.device(), epoch: on.prover.log(0).epoch, logFrom });
    } catch (error) {
      if (asFault(error).code !== 'offline.not_allowed') throw error;
    }
  }
}

/** Payments that were made offline and not brought yet, in the order of the counter. */
export const waiting = ({ book }: Pick<Ports, 'book'>): Payment[] =>
  [...book.all()].filter((p) => isWaiting(p)).sort((a, b) => (a.offline!.ctr < b.offline!.ctr ? -1 : 1));

/** What this device has paid under an allowance, as its journal says. */
function spentUnder({ book }: Pick<Ports, 'book'>, allowanceId: string): { count: number; spent: bigint; ctrLast: bigint } {
  const paid = [...book.all()].filter(({ offline }) => offline?.allowanceId === allowanceId);
  return { count: paid.length, spent: paid.reduce((sum, { intent }) => sum + intent.amount.amount, 0n), ctrLast: paid.reduce((last, { offline }) => (offline!.ctr > last ? offline!.ctr : last), 0n) };
}

/** The log up to where the evidence begins. */
const before = ({ prover }: Ports, { logFrom }: Allowed): LogEntry[] => prover.log(0).entries.slice(0, logFrom);

function assertNone([first]: readonly Finding[]): void {
  if (first) throw faultTold(first.code, first.message);
}

/** Another answer would not come. What is wrong with the link, the log or the store is over some time. */
const isFinal = ({ code }: Fault): boolean => !/^(?:link|deposit|store|bug|device|tpm)\./.test(code) && code !== 'carrier.busy' && code !== 'settle.outcome_unknown';
