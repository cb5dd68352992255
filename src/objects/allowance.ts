/**
 * The offline allowance: what a terminal without network may spend, said ahead by the carrier issuer. The whole of it is reserved when it is issued, so that
 * offline payments never exceed the funds. It is for one mandate on one device, from one value of the TPM's counter on: payment number n of it has a counter
 * of at least `ctr_base` + n, which anyone sees who is shown the payment, and no copied state of the sidecar takes back.
 */
import { z } from 'zod';
import { type Sha256, sha256 } from '../base/bytes.js';
import { type Of, count, hex, id, publicJwk, record, seconds, sha256Text, token, u64, url } from '../base/shape.js';
import { currency, positive } from '../money.js';
import { payeeRule } from './carrier.js';
import { attestation, batch, binding } from './evidence.js';
import { intent } from './intent.js';
import { signedKind } from './signed.js';

/** Payments of one allowance: each holds a use of its mandate from the start. */
export const OFFLINE_PAYMENTS_MAX = 64;

/** Amounts are minor units of `currency`. `clock_base`: the TPM's signed clock, ms, as it was last seen when this was issued. */
export const offlineAllowance = record({
  iss: url,
  jti: id('alw'),
  iat: seconds,
  /** No payment is made after it. */
  exp: seconds,
  /** A payment that was made in time is taken until here; then what is left goes back to the carrier. */
  uploadUntil: seconds,
  carrierId: id('crr'),
  carrierRev: count,
  mandateId: id('mnd'),
  mandateSha256: sha256Text,
  deviceId: id('dev'),
  akName: hex(34),
  cnf: record({ jwk: publicJwk }),
  currency,
  maxCount: z.int().min(1).max(OFFLINE_PAYMENTS_MAX),
  maxTotal: positive,
  perPaymentMax: positive,
  /** With what they sell: the directory cannot be asked. */
  payees: z.array(payeeRule).min(1).max(64),
  ctrBase: u64,
  clockBase: u64,
});
export type OfflineAllowance = Of<typeof offlineAllowance>;
export const OFFLINE_ALLOWANCE = signedKind('ari-offline+jwt', 'carrier', offlineAllowance);

/** No verifier gives a nonce offline: each value of the counter makes one of its own, for this allowance alone. */
export const offlineNonce = (allowanceId: string, ctr: bigint): Sha256 => sha256(`ari-offline-1\0${allowanceId}\0${ctr}`);

/**
 * What a payee without network is handed, and checks with public keys alone: the allowance, and the TPM's signatures over this payment and over the counter.
 * Nothing of what was measured is in it.
 */
export const voucher = record({
  v: z.literal('ari-voucher-1'),
  intent,
  allowance: token(),
  device: token(),
  closedMandate: token(),
  binding,
  batch,
  register: attestation,
  counter: attestation,
});
export type Voucher = Of<typeof voucher>;
export const VOUCHER_BYTES = 262_144;
