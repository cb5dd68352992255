/**
 * What devices are to hear of a change. Its rows are written in the change's own transaction, so that no process can die between a freeze and its telling;
 * devices that are connected here hear it as soon as it is committed.
 */
import { ulid } from '../src/base/id.js';
import { stringify } from '../src/base/shape.js';
import { type LinkBody, type VerifierMessage, verifierMessage } from '../src/link.js';
import type { Verifier } from './context.js';
import { mandatesBody } from './mandates.js';
import type { OutboxRow } from './store/verbs.js';

export class News {
  readonly rows: OutboxRow[] = [];
  private readonly v: Verifier;
  /** Names the process: its own rows are not for itself. */
  private readonly origin: string;
  private readonly pushes: (() => void | Promise<void>)[] = [];

  constructor(v: Verifier, origin: string) {
    this.v = v;
    this.origin = origin;
  }

  /** A message for a device. */
  tell<T extends VerifierMessage['type']>(deviceId: string, type: T, body: LinkBody<T>): this {
    const { v } = this;
    this.pushes.push(() => v.hub.push(deviceId, type, body));
    return this.row('message', deviceId, stringify(verifierMessage, { v: 1, id: ulid(v.now(), v.random(10)), re: null, type, body } as VerifierMessage));
  }

  /** A device is told anew what it may pay with. */
  refresh(deviceId: string): this {
    this.pushes.push(() => pushMandates(this.v, deviceId));
    return this.row('mandates', deviceId, '');
  }

  /** The change is committed. */
  async told(): Promise<void> {
    for (const push of this.pushes) await push();
  }

  private row(topic: OutboxRow['topic'], subject: string, body: string): this {
    const { v } = this;
    this.rows.push({ eventId: `${this.origin}.${ulid(v.now(), v.random(10))}`, topic, subject, body, createdMs: v.now() });
    return this;
  }
}

export async function pushMandates(v: Verifier, deviceId: string): Promise<void> {
  if (v.hub.connectedSince(deviceId) !== null) v.hub.push(deviceId, 'mandates', await mandatesBody(v, deviceId));
}
