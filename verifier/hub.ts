/** Which devices are connected to this process, so that what happens elsewhere (a revocation, a confirmation) reaches them at once. */
import type { LinkBody, VerifierMessage } from '../src/link.js';

export type Push = <T extends VerifierMessage['type']>(type: T, body: LinkBody<T>) => void;
/** A proven connection as others see it. */
export interface Reachable { readonly send: Push; close(reason: string): void }

export class Hub {
  private readonly devices = new Map<string, { readonly connection: Reachable; readonly sinceMs: number }>();

  /** The newest connection of a device is the one that is served: an older one is a leftover of a lost network and is closed. */
  join(deviceId: string, connection: Reachable, nowMs: number): void {
    const before = this.devices.get(deviceId)?.connection;
    this.devices.set(deviceId, { connection, sinceMs: nowMs });
    if (before !== connection) before?.close('replaced by a newer connection');
  }

  leave(deviceId: string, connection: Reachable): void {
    if (this.devices.get(deviceId)?.connection === connection) this.devices.delete(deviceId);
  }

  /** Sends to a device if it is connected here. A device that is not connected learns it when it connects. */
  push<T extends VerifierMessage['type']>(deviceId: string, type: T, body: LinkBody<T>): void {
    this.devices.get(deviceId)?.connection.send(type, body);
  }

  /** Since when a device is connected here, null when it is not. What happened before, it was told when it connected. */
  connectedSince(deviceId: string): number | null {
    return this.devices.get(deviceId)?.sinceMs ?? null;
  }

  /** The devices connected here. */
  connected(): string[] {
    return [...this.devices.keys()];
  }
}
