/** The evidence of a bundle, appraised again from nothing but the bundle: without the verifier's memory, so clocks and histories of other payments are not judged. */
import type { Policy } from '../../src/objects/decision.js';
import type { DeviceRecord } from '../../src/objects/device.js';
import type { Evidence, LogEntry } from '../../src/objects/evidence.js';
import type { AgentManifest } from '../../src/objects/manifest.js';
import type { Verified } from '../../src/objects/signed.js';
import type { PaymentResult } from '../types.js';
import { appraisePayment } from '../verify/index.js';

export interface Recorded { evidence: Evidence; log: LogEntry[]; device: Verified<DeviceRecord>; policy: Policy; manifest: Verified<AgentManifest> | null }

/** The binding's own values are expected here: that they are those of the objects is said by the edges of the binding. */
export function reappraise(recorded: Recorded): PaymentResult {
  const { evidence, log, device, policy, manifest } = recorded;
  const { nonce, aud, paymentSha256, mandateSha256, closedSha256, jkt } = evidence.payment.binding;
  return appraisePayment({
    evidence, policy, manifest,
    expected: { nonce, aud, paymentSha256, mandateSha256, closedSha256, jkt },
    device: { record: device, state: 'enrolled', clock: null, head: null, latest: null },
    platform: null,
    earlier: log,
  });
}
