/** The counter of a payment made offline: what stands for the nonce that no verifier could give. */
import { fault } from '../../src/base/fault.js';
import type { Evidence } from '../../src/objects/evidence.js';
import { rootFrom } from '../batch.js';
import { counterQualifyingData } from '../evidence.js';
import type { KnownDevice } from '../types.js';
import { type EnrolledKey, authenticate } from './attest.js';
import { type ClockInfo, assertSameBoot } from './clock.js';
import { readCounter } from './nv.js';

/**
 * The counter that the binding names was certified over the same root, in the same boot, and is above the last one known; and the platform was quoted over the
 * same nonce, because it too belongs to this payment alone. A payment without a counter carries no certification of one.
 * @throws Fault ctr.missing, ctr.name, ctr.not_increased, register.range, binding.mismatch, clock.mismatch, quote.*
 */
export function assertCounted(ak: EnrolledKey, { platform, payment: { binding, batch, counter } }: Evidence, leaf: Buffer, boot: ClockInfo, { record, clock }: KnownDevice): void {
  if (binding.ctr === null && counter === undefined) return;
  if (counter === undefined) throw fault('ctr.missing');
  const root = rootFrom(leaf, batch);
  if (root === null) throw fault('batch.path');
  const attest = authenticate(ak, counter, 'nv', 'counter', counterQualifyingData(root));
  assertSameBoot(attest.clockInfo, boot);
  if (readCounter(attest.attested, record.value.counterName, clock?.ctr ?? null) !== binding.ctr) throw fault('binding.mismatch', { what: 'ctr' });
  if (platform.binding.nonce !== binding.nonce) throw fault('binding.mismatch', { what: 'nonce of the platform' });
}
