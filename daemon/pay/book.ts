/**
 * The book of payments: what the device knows of each, rebuilt from the journal at start. A step is in the journal before its effect leaves the
 * device, so that after a crash no payment is forgotten and none is made twice.
 */
import { z } from 'zod';
import { type AgentEvent, type PaymentView, stageTimes } from '../../src/agentapi.js';
import { fault } from '../../src/base/fault.js';
import { type Of, type Shape, count, decode, id, millis, name, record, sha256Text, stringify, text, token, u64 } from '../../src/base/shape.js';
import { isCode, type Code } from '../../src/codes.js';
import { DECISIONS, PAYMENT_STATES, TIERS, type PaymentState } from '../../src/names.js';
import { authorityState } from '../../src/objects/carrier.js';
import { paymentEvidence, platformEvidence } from '../../src/objects/evidence.js';
import { logEntry } from '../../src/objects/evidence.js';
import { intent } from '../../src/objects/intent.js';
import type { Journal } from '../journal/journal.js';
import { voucherOf } from './voucher.js';
import { listBefore } from '../tpm/listcopy.js';
import { inTurnFor } from '../tpm/turns.js';

const code = z.string().refine(isCode) as z.ZodType<Code, string>;

/** What the device itself put forward in the latest attempt. `list`: where the IMA list is kept before the part that the platform shows. */
const proof = record({ mandate: token(), closedMandate: token(), evidence: paymentEvidence, platform: platformEvidence, list: listBefore.optional(), log: z.array(logEntry), akName: z.string() });
/** What the verifier said about the latest attempt. */
const ruling = record({ decision: token(), ear: token().nullable(), carrier: token().nullable(), revisions: z.array(token()), policy: token(), device: token(), authority: authorityState, confirmation: token().nullable(), userKeys: z.array(token()), userAssertion: z.string().max(65_536).nullable(), leaf: z.string(), proof: z.string() });
const result = record({ execution: token().nullable(), receipt: token().nullable(), leaf: z.string().nullable(), proof: z.string().nullable() });

const offline = record({ allowanceId: id('alw'), allowance: token(), ctr: u64, device: token() });

const facts = {
  paymentId: id('pay'),
  agentId: name(),
  /** Its token is kept once (pay/manifests.ts). */
  manifestSha256: sha256Text,
  requestSha256: sha256Text,
  intent,
  createdMs: millis,
  state: z.enum(PAYMENT_STATES),
  decision: z.enum(DECISIONS).nullable(),
  code: code.nullable(),
  message: text(1024).nullable(),
  attempt: count,
  confirmed: z.boolean(),
  tier: z.enum(TIERS).nullable(),
  ms: stageTimes,
  proof: proof.nullable(),
  ruling: ruling.nullable(),
  result: result.nullable(),
  /** Under which allowance it was made offline; absent when it was made online. */
  offline: offline.optional(),
};
const payment = record(facts);
export type Payment = Of<typeof payment>;
/** A line of the journal: a payment's first has all of it, a later one what that step changed. */
const step = record({ ...(Object.fromEntries(Object.entries(facts).map(([member, shape]) => [member, shape.optional()])) as unknown as typeof facts), paymentId: facts.paymentId }) as unknown as Shape<Step>;
type Step = Pick<Payment, 'paymentId'> & Partial<Payment>;

/** Retention of finished payments on the device; the verifier's log keeps them for ever. */
export const KEEP_MS = 48 * 3_600_000;
const OPEN: readonly PaymentState[] = ['received', 'proving', 'permitted', 'deposited', 'released', 'outcome_unknown'];
/** States in which money may still move without the agent asking again. */
export const isOpen = (state: PaymentState): boolean => OPEN.includes(state);

/** Made offline, and not brought yet. */
export const isWaiting = ({ offline: allowed, ruling: said, state }: Payment): boolean => allowed !== undefined && said === null && state === 'permitted';

export const viewOf = (p: Payment): PaymentView => ({
  paymentId: p.paymentId, state: p.state, decision: p.decision, code: p.code, message: p.message, amount: p.intent.amount, payee: p.intent.payee,
  attempt: p.attempt, tier: p.tier, execution: p.result?.execution ?? null, receipt: p.result?.receipt ?? null, confirmUrl: null, ms: p.ms,
  ...(p.offline && { offline: { allowanceId: p.offline.allowanceId, voucher: voucherOf(p) ?? '' } }),
});

const keyOf = ({ agentId, intent: { idempotencyKey } }: Payment): string => `${agentId} ${idempotencyKey}`;

type Listener = (event: AgentEvent) => void;

export class Book {
  private readonly payments = new Map<string, Payment>();
  private readonly byKey = new Map<string, string>();
  private readonly listeners = new Map<string, Set<Listener>>();
  private readonly waiting = new Map<string, Set<() => void>>();
  private readonly journal: Journal;
  private readonly turn = inTurnFor();
  private released = false;

  constructor(journal: Journal, known: Payment[]) {
    this.journal = journal;
    for (const p of known) this.keep(p);
  }

  /**
   * The payments of journal records, each as its steps left it; those past their time are left out.
   * @throws Fault intake.malformed for what is no step, or one of a payment whose first is missing
   */
  static replay(records: unknown[], nowMs: number): Payment[] {
    const latest = new Map<string, Payment>();
    for (const line of records) {
      const change = decode(step, line, 'journal');
      const before = latest.get(change.paymentId) ?? decode(payment, line, 'journal');
      latest.set(change.paymentId, Object.assign(before, change));
    }
    return [...latest.values()].filter((p) => isOpen(p.state) || nowMs - p.createdMs < KEEP_MS);
  }

  /** A payment's first line. */
  static line(p: Payment): string {
    return stringify(payment, p);
  }

  /** Requests with one idempotency key are worked on one after another: two at a time would attempt, and offline sign, one payment twice. */
  alone<T>(agentId: string, key: string, work: () => Promise<T>): Promise<T> {
    return this.turn(`${agentId} ${key}`, work);
  }

  /** The payment of an agent's idempotency key. @throws Fault intake.idempotency_conflict when the key was used for another request */
  find(agentId: string, key: string, requestSha256: string): Payment | null {
    const known = this.payments.get(this.byKey.get(`${agentId} ${key}`) ?? '');
    if (!known) return null;
    if (known.requestSha256 !== requestSha256) throw fault('intake.idempotency_conflict');
    return known;
  }

  get(paymentId: string): Payment | null {
    return this.payments.get(paymentId) ?? null;
  }

  all(): Iterable<Payment> {
    return this.payments.values();
  }

  /** Takes a new payment: durable when it resolves; then its agent hears of it. One that the disk refuses is none. */
  async open(p: Payment): Promise<Payment> {
    this.keep(p);
    try {
      await this.journal.append(Book.line(p));
    } catch (error) {
      this.payments.delete(p.paymentId);
      this.byKey.delete(keyOf(p));
      throw error;
    }
    return this.changed(p);
  }

  /** Takes a step of a payment: durable when it resolves; then its agent hears of it. One that the disk refuses was not made. */
  async write(p: Payment, change: Partial<Payment>): Promise<Payment> {
    const before = Object.fromEntries(Object.keys(change).map((member) => [member, p[member as keyof Payment]]));
    Object.assign(p, change);
    try {
      await this.journal.append(stringify(step, { ms: p.ms, ...change, paymentId: p.paymentId }));
    } catch (error) {
      Object.assign(p, before);
      throw error;
    }
    return this.changed(p);
  }

  private changed(p: Payment): Payment {
    this.tell(p.agentId, { type: 'payment', body: viewOf(p) });
    for (const wake of this.waiting.get(p.paymentId) ?? []) wake();
    return p;
  }

  /** Waits until a payment is no longer open, or the verifier has said all it can say now, at most so long. */
  async settled(p: Payment, deadlineMs: number): Promise<boolean> {
    const isOver = (): boolean => this.released || !isOpen(p.state) || p.result !== null;
    if (isOver()) return true;
    return new Promise((resolve) => {
      const wakers = this.waiting.get(p.paymentId) ?? new Set();
      this.waiting.set(p.paymentId, wakers);
      const end = (over: boolean): void => {
        clearTimeout(timer);
        wakers.delete(wake);
        if (wakers.size === 0) this.waiting.delete(p.paymentId);
        resolve(over);
      };
      const wake = (): void => { if (isOver()) end(true); };
      const timer = setTimeout(() => end(false), deadlineMs);
      wakers.add(wake);
    });
  }

  /** Nobody waits for a settlement any more: how it ended is heard from the verifier after the next start. */
  release(): void {
    this.released = true;
    for (const wakers of this.waiting.values()) for (const wake of wakers) wake();
  }

  subscribe(agentId: string, listener: Listener): () => void {
    const set = this.listeners.get(agentId) ?? new Set();
    this.listeners.set(agentId, set.add(listener));
    return () => void set.delete(listener);
  }

  tell(agentId: string, event: AgentEvent): void {
    for (const listener of this.listeners.get(agentId) ?? []) listener(event);
  }

  close(): Promise<void> {
    return this.journal.close();
  }

  private keep(p: Payment): void {
    this.payments.set(p.paymentId, p);
    this.byKey.set(keyOf(p), p.paymentId);
  }
}
