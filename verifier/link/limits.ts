/** What one connection may cost before it is ended. The peer may be anyone until its key is proven. */
export const CONNECTION_LIMITS = {
  /** A stranger proves its key within this time or goes. A slow TPM needs about 3 s for an enrolment. */
  proveMs: 30_000,
  heartbeatMs: 20_000,
  /** Messages waiting in one connection: {@link LINK_LIMITS.inFlight} payments and as much again of everything else. */
  queued: 128,
  /** Steady messages per second, and how many may come at once. */
  perSecond: 50,
  burst: 200,
  /** Bytes that a peer who does not read may leave unsent. */
  unsentBytes: 8_388_608,
  /** A wrong enrolment code is answered after this time, and so many end the connection: with {@link strangers}, that bounds guessing and locks nobody out. */
  wrongCodeMs: 250,
  wrongCodes: 3,
  /** Bytes of log pages that wait for their evidence, over all peers. */
  pageBytes: 67_108_864,
  /** Connections that have proven nothing yet, over all peers. */
  strangers: 256,
} as const;
export type ConnectionLimits = { readonly [K in keyof typeof CONNECTION_LIMITS]: number };

/** A token bucket. `take` is false when the peer is faster than its rate. */
export class Bucket {
  private level: number;
  private at: number;
  private readonly limits: Pick<ConnectionLimits, 'perSecond' | 'burst'>;

  constructor(limits: Pick<ConnectionLimits, 'perSecond' | 'burst'>, nowMs: number) {
    this.limits = limits;
    this.level = limits.burst;
    this.at = nowMs;
  }

  take(nowMs: number): boolean {
    const { perSecond, burst } = this.limits;
    this.level = Math.min(burst, this.level + ((nowMs - this.at) / 1000) * perSecond);
    this.at = nowMs;
    if (this.level < 1) return false;
    this.level -= 1;
    return true;
  }
}
