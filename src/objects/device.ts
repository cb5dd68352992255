/** The verifier's word that an attestation key lives in a TPM it has checked. It is in every bundle, so that the key can be checked offline. */
import { z } from 'zod';
import { type Of, b64u, hex, id, record, seconds, text, u64, url } from '../base/shape.js';
import { TIERS } from '../names.js';
import { signedKind } from './signed.js';
import { statusReference } from './status.js';

export const deviceRecord = record({
  iss: url,
  iat: seconds,
  jti: text(64),
  deviceId: id('dev'),
  akName: hex(34),
  /** TPMT_PUBLIC of the attestation key. */
  akPublic: b64u(1024),
  /** Qualified Name of the key below its EK and the endorsement hierarchy, computed by the verifier. */
  qualifiedSigner: hex(34),
  /** Name of the written measurement register, null on a TPM without one (tier T1 at most). */
  registerName: hex(34).nullable(),
  counterName: hex(34).nullable(),
  /** Subject of the pinned root; null when the EK has no certificate. */
  ekRoot: text(512).nullable(),
  firmware: u64,
  simulated: z.boolean(),
  tierMax: z.enum(TIERS),
  status: statusReference.optional(),
});
export type DeviceRecord = Of<typeof deviceRecord>;
export const DEVICE_RECORD = signedKind('ari-device+jwt', 'verifier', deviceRecord);
