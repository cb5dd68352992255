/**
 * The TPM's own time. (resetCount, restartCount) never fall; within one pair the clock does not. A suspend raises restartCount, a reset raises resetCount
 * and sets restartCount to zero: neither is an attack. The clock has milliseconds and may stand still between two attestations.
 */
import type { Attest } from '@ari-sidecar/tpm2';
import { fault } from '../../src/base/fault.js';
import { type Boot, compareBoots } from '../head.js';
import type { DeviceClock } from '../types.js';

export type ClockInfo = Attest['clockInfo'];
type Moment = Boot & { clock: bigint };

/** @throws Fault clock.reset_decreased, clock.rewound */
export function assertForward(now: ClockInfo, known: DeviceClock | null): void {
  if (known === null) return;
  if (now.resetCount < known.resetCount) throw fault('clock.reset_decreased', { before: known.resetCount, now: now.resetCount });
  const boots = compareBoots(now, known);
  if (boots < 0 || (boots === 0 && now.clock < known.clock)) throw fault('clock.rewound');
}

/** Two attestations of one boot. @throws Fault clock.mismatch */
export function assertSameBoot(a: Boot, b: Boot): void {
  if (compareBoots(a, b) !== 0) throw fault('clock.mismatch');
}

/** A quote may serve a payment only a while, by the TPM's clock and not before it was made. @throws Fault clock.mismatch, quote.stale */
export function assertFresh(quote: Moment, payment: Moment, maxAgeMs: number): void {
  assertSameBoot(quote, payment);
  const age = payment.clock - quote.clock;
  if (age < 0n || age > BigInt(maxAgeMs)) throw fault('quote.stale', { age, max: maxAgeMs });
}

/** Each binding of a device has a number of its own: what was restored from a copy repeats one. @throws Fault clock.sequence */
export function assertSequence(seq: number, known: DeviceClock | null): void {
  if (known !== null && seq <= known.seq) throw fault('clock.sequence', { seq, last: known.seq });
}
