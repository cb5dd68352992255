/** Nonces that the verifier pushed ahead, so that a payment waits for no extra round trip. Each is handed out once; a stale one never. */
import type { LinkBody } from '../../src/link.js';
import type { NoncePurpose } from '../../src/names.js';

/** A nonce is not used in its last moments: it would expire on the way. */
const MARGIN_MS = 2_000;

type Nonce = LinkBody<'nonces'>['nonces'][number];

export class NoncePool {
  private readonly pools = new Map<NoncePurpose, Nonce[]>();
  private readonly waiting: { purpose: NoncePurpose; done: (nonce: string | null) => void }[] = [];

  add({ purpose, nonces }: LinkBody<'nonces'>): void {
    this.pools.set(purpose, [...(this.pools.get(purpose) ?? []), ...nonces].slice(-256));
    for (let i = 0; i < this.waiting.length; i++) {
      const waiter = this.waiting[i];
      const nonce = waiter && this.take(waiter.purpose, Date.now());
      if (waiter && nonce) {
        this.waiting.splice(i--, 1);
        waiter.done(nonce);
      }
    }
  }

  /** A fresh nonce, or null when there is none. */
  take(purpose: NoncePurpose, nowMs: number): string | null {
    const pool = this.pools.get(purpose) ?? [];
    for (let nonce = pool.shift(); nonce; nonce = pool.shift()) if (nonce.expiresMs - MARGIN_MS > nowMs) return nonce.nonce;
    return null;
  }

  /** A fresh nonce, now or when one arrives within the deadline; null after it, and when the connection ends. */
  next(purpose: NoncePurpose, deadlineMs: number): Promise<string | null> {
    const ready = this.take(purpose, Date.now());
    if (ready !== null) return Promise.resolve(ready);
    return new Promise((resolve) => {
      const waiter = { purpose, done: (nonce: string | null) => { clearTimeout(timer); resolve(nonce); } };
      const timer = setTimeout(() => {
        this.waiting.splice(this.waiting.indexOf(waiter), 1);
        resolve(null);
      }, deadlineMs);
      this.waiting.push(waiter);
    });
  }

  /** The connection is gone: its nonces with it, and nobody waits for one any more. A waiter that stayed would take the first nonce of the next one. */
  clear(): void {
    this.pools.clear();
    for (const { done } of this.waiting.splice(0)) done(null);
  }
}
