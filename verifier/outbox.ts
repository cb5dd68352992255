/**
 * Tells devices what concerns them, whichever process they are connected to. A device that is connected here hears it at once; a row in the database tells
 * the other processes, who look for new rows while a device is connected to them. The policy in force is looked for in the same rhythm. Nothing rests on it: what is revoked is refused whether or not the device
 * has heard, and a device that connects is told everything.
 */
import { randomUUID } from 'node:crypto';
import { parse, stringify } from '../src/base/shape.js';
import { ulid } from '../src/base/id.js';
import { type LinkBody, type VerifierMessage, verifierMessage } from '../src/link.js';
import type { Verifier } from './context.js';
import { mandatesBody } from './mandates.js';
import type { OutboxRow } from './store/verbs.js';

const POLL_MS = 200;
/** Clocks of processes that share a database differ by less. A row may be read twice; it is delivered once. */
const OVERLAP_MS = 2_000;
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

  /** Sends a message to a device. */
  async tell<T extends VerifierMessage['type']>(deviceId: string, type: T, body: LinkBody<T>): Promise<void> {
    const v = this.v();
    v.hub.push(deviceId, type, body);
    await this.write('message', deviceId, stringify(verifierMessage, { v: 1, id: ulid(v.now(), v.random(10)), re: null, type, body } as VerifierMessage));
  }

  /** Tells a device anew what it may pay with. */
  async refresh(deviceId: string): Promise<void> {
    await this.pushMandates(deviceId);
    await this.write('mandates', deviceId, '');
  }

  /** Another policy is in force: the devices that are connected here are told. Other processes look for it themselves. */
  enforced(): void {
    const v = this.v();
    const policy = v.trust.policy().token;
    for (const deviceId of v.hub.connected()) v.hub.push(deviceId, 'policy', { policy });
  }

  private async write(topic: OutboxRow['topic'], subject: string, body: string): Promise<void> {
    const v = this.v();
    await v.store.putOutbox({ eventId: `${this.origin}.${ulid(v.now(), v.random(10))}`, topic, subject, body, createdMs: v.now() });
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
    if (sinceMs === null || createdMs < sinceMs) return;
    if (topic === 'mandates') return this.pushMandates(subject);
    const message = parse(verifierMessage, body);
    v.hub.push(subject, message.type, message.body as never);
  }

  private async pushMandates(deviceId: string): Promise<void> {
    const v = this.v();
    if (v.hub.connectedSince(deviceId) !== null) v.hub.push(deviceId, 'mandates', await mandatesBody(v, deviceId));
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
