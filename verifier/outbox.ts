/**
 * Tells devices what concerns them, whichever process they are connected to. A device that is connected here hears it at once; a row in the database, written
 * with the change it tells of, tells the other processes, who look for new rows while a device is connected to them. The policy in force is looked for in the
 * same rhythm. No permit rests on it: what is revoked is refused whether or not the device has heard, and a device that connects is told everything.
 */
import { randomUUID } from 'node:crypto';
import { parse } from '../src/base/shape.js';
import { type LinkBody, type VerifierMessage, verifierMessage } from '../src/link.js';
import type { Verifier } from './context.js';
import { News, pushMandates } from './news.js';
import type { OutboxRow } from './store/verbs.js';

const POLL_MS = 200;
/**
 * A row is dated before its transaction, which may wait ten seconds for others, and the clocks of processes that share a database differ. It may be read
 * often; it is delivered once. Who connected meanwhile hears it too.
 */
const OVERLAP_MS = 15_000;
/** Nobody looks for older rows. */
const KEPT_MS = 60_000;

export class Outbox {
  private readonly v: () => Verifier;
  /** This process among those that share the database: its own rows are not for itself. */
  private readonly origin = randomUUID();
  private readonly seen = new Map<string, number>();
  private timer: NodeJS.Timeout | null = null;
  private polling: Promise<void> | null = null;
  private forgottenMs = 0;
  /** The store is away: said once. */
  private blind = false;

  constructor(v: () => Verifier) {
    this.v = v;
  }

  /** Begins to look for what other processes wrote. */
  start(): void {
    this.timer = setInterval(() => { this.polling ??= this.poll().finally(() => { this.polling = null; }); }, POLL_MS);
  }

  async close(): Promise<void> {
    if (this.timer !== null) clearInterval(this.timer);
    await this.polling;
  }

  /** What goes with a change; {@link News.told} when it is committed. */
  news(): News {
    return new News(this.v(), this.origin);
  }

  /** A message that goes with no change: what it says, the device could ask for. */
  async tell<T extends VerifierMessage['type']>(deviceId: string, type: T, body: LinkBody<T>): Promise<void> {
    const news = this.news().tell(deviceId, type, body);
    await news.told();
    await this.v().store.putOutbox(news.rows);
  }

  /** Another policy is in force: the devices that are connected here are told. Other processes look for it themselves. */
  enforced(): void {
    const v = this.v();
    const policy = v.trust.policy().token;
    for (const deviceId of v.hub.connected()) v.hub.push(deviceId, 'policy', { policy });
  }

  private async poll(): Promise<void> {
    const v = this.v();
    try {
      await this.pushPolicy();
      if (v.hub.connected().length > 0) await this.deliverNew(v.now());
      this.blind = false;
    } catch (err) {
      if (!this.blind) v.logger.warn({ err }, 'the outbox cannot be read');
      this.blind = true;
    }
  }

  private async deliverNew(nowMs: number): Promise<void> {
    const { store } = this.v();
    for (const row of await store.outbox(nowMs - OVERLAP_MS)) await this.deliver(row);
    this.forget(nowMs);
    if (nowMs - this.forgottenMs > KEPT_MS) await store.clearOutbox((this.forgottenMs = nowMs) - KEPT_MS);
  }

  private async deliver({ eventId, topic, subject, body, createdMs }: OutboxRow): Promise<void> {
    if (this.seen.has(eventId) || eventId.startsWith(this.origin)) return;
    this.seen.set(eventId, createdMs);
    const v = this.v();
    const sinceMs = v.hub.connectedSince(subject);
    if (sinceMs === null || createdMs < sinceMs - OVERLAP_MS) return;
    if (topic === 'mandates') return pushMandates(v, subject);
    const message = parse(verifierMessage, body);
    v.hub.push(subject, message.type, message.body as never);
  }

  /** The policy in force, as another process may have changed it. */
  private async pushPolicy(): Promise<void> {
    const v = this.v();
    const before = v.trust.policy();
    await v.trust.refresh();
    if (v.trust.policy() !== before) this.enforced();
  }

  private forget(nowMs: number): void {
    for (const [eventId, createdMs] of this.seen) if (createdMs < nowMs - KEPT_MS) this.seen.delete(eventId);
  }
}
