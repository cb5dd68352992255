/**
 * A voucher, checked by a payee without network and with public keys alone: the issuer's allowance, and the TPM's word that the device made this very payment
 * under it. What it cannot show: the sum of the other payments (the counter bounds their number, the device's journal their sum), and what was revoked since.
 */
import { parseJson } from '../src/base/json.js';
import { parse } from '../src/base/shape.js';
import { OFFLINE_ALLOWANCE, type OfflineAllowance, VOUCHER_BYTES, type Voucher, voucher } from '../src/objects/allowance.js';
import { BUNDLE_BYTES, type Edge } from '../src/objects/bundle.js';
import { DEVICE_RECORD, type DeviceRecord } from '../src/objects/device.js';
import { binding as bindingShape, bindingLeaf } from '../src/objects/evidence.js';
import { paymentHash } from '../src/objects/intent.js';
import type { ClosedPayment } from '../src/objects/mandate.js';
import type { Verified } from '../src/objects/signed.js';
import type { Trust } from '../src/objects/trust.js';
import { closedHash, openClosedOf } from '../src/sdjwt/index.js';
import { rootFrom } from './batch.js';
import { assertCountedFor, assertWithin } from './bundle/allowance.js';
import { brokenBy, claim, claimSame } from './bundle/claim.js';
import { issued } from './bundle/facts.js';
import { counterQualifyingData, paymentQualifyingData } from './evidence.js';
import type { EdgeResult } from './bundle.js';
import { authenticate } from './verify/attest.js';
import { enrolledKey } from './verify/device.js';
import { readCounter } from './verify/nv.js';

/** `verdict` is null when the voucher does not verify: then it says nothing. It is at most payment `nth` of the `of` that the allowance is for. */
export interface VoucherReport {
  readonly ok: boolean;
  readonly edges: readonly EdgeResult[];
  readonly firstBroken: Edge | null;
  readonly verdict: { readonly amount: Voucher['intent']['amount']; readonly payee: Voucher['intent']['payee']; readonly nth: number; readonly of: number; readonly uploadUntil: number; readonly simulated: boolean } | null;
}

/** Whether a file says of itself that it is a voucher and no bundle. */
export function isVoucher(text: string | Uint8Array): boolean {
  const wire = parseJson(text, { bytes: BUNDLE_BYTES });
  return typeof wire === 'object' && wire !== null && !Array.isArray(wire) && wire['v'] === 'ari-voucher-1';
}

interface Opened { readonly voucher: Voucher; readonly allowance: Verified<OfflineAllowance>; readonly device: Verified<DeviceRecord>; readonly closed: ClosedPayment; readonly nowS: number }

type Check = (opened: Opened) => void;
/** In the words of a bundle's edges: the same edge says the same. */
const TABLE: readonly (readonly [Edge, Check])[] = [
  ['closed-intent', ({ voucher: { intent, binding }, closed }) => claimSame({
    'the hash of the request': [closed.riskData.ari.paymentSha256, binding.paymentSha256], 'the payee': [closed.payee.id, intent.payee.id],
    'the amount': [closed.paymentAmount.amount, intent.amount.amount], 'the currency': [closed.paymentAmount.currency, intent.amount.currency],
  })],
  ['binding-intent', ({ voucher: { intent, binding } }) => claimSame({ 'the hash of the request': [binding.paymentSha256, paymentHash(intent)] })],
  ['binding-mandate', ({ voucher: { binding }, allowance }) => claimSame({ 'the hash of the mandate': [binding.mandateSha256, allowance.value.mandateSha256] })],
  ['binding-closed', ({ voucher: { binding, closedMandate } }) => claimSame({ 'the hash of the closed mandate': [binding.closedSha256, closedHash(closedMandate)] })],
  ['attest-binding', attested],
  ['device-ak', ({ allowance, device }) => claimSame({ 'the attestation key': [allowance.value.akName, device.value.akName], 'the device': [allowance.value.deviceId, device.value.deviceId] })],
  ['allowance-mandate', ({ allowance, voucher: { intent } }) => claimSame({ 'the carrier': [allowance.value.carrierId, intent.carrierId] })],
  ['allowance-intent', ({ allowance, voucher: { intent }, closed, nowS }) => {
    assertWithin(allowance.value, intent, closed);
    claim(closed.iat <= nowS + 300 && nowS < allowance.value.uploadUntil, 'it is not of this time');
  }],
  ['binding-allowance', ({ allowance, device, voucher: { binding } }) => assertCountedFor(allowance.value, binding, device.value.akName)],
];

/** Both signatures are by the enrolled key, over the tree that holds this binding; the one names the register, the other the value of the counter. */
function attested({ voucher: { binding, batch, register, counter }, device }: Opened): void {
  const ak = enrolledKey({ record: device, state: 'enrolled', clock: null, head: null, latest: null });
  const root = rootFrom(bindingLeaf(bindingShape, binding), batch);
  claim(root !== null, 'the payment is not in the signed batch', 'batch.path');
  const { attested: certified } = authenticate(ak, register, 'nv', 'payment', paymentQualifyingData(root));
  claim(certified.indexName.toString('hex') === device.value.registerName, 'another index than the enrolled register was certified', 'register.name');
  const counted = authenticate(ak, counter, 'nv', 'counter', counterQualifyingData(root)).attested;
  claim(readCounter(counted, device.value.counterName, null) === binding.ctr, 'the counter is not the one that the binding names', 'binding.mismatch');
}

/**
 * @param nowS the payee's own time, integer seconds
 * @throws Fault intake.* when the text is no voucher at all
 */
export function verifyVoucher(text: string | Uint8Array, trust: Trust, nowS: number): VoucherReport {
  const value = parse(voucher, text, 'voucher', { bytes: VOUCHER_BYTES });
  const opened = openVoucher(value, trust, nowS);
  const edges = 'edge' in opened ? [opened] : TABLE.map(([edge, check]) => judged(edge, () => check(opened)));
  const firstBroken = edges.find(({ ok }) => !ok)?.edge ?? null;
  if (firstBroken !== null || 'edge' in opened) return { ok: false, edges, firstBroken, verdict: null };
  const { allowance: { value: { ctrBase, maxCount, uploadUntil } }, device } = opened;
  const { intent: { amount, payee }, binding: { ctr } } = value;
  return { ok: true, edges, firstBroken, verdict: { amount, payee, nth: Number((ctr ?? ctrBase) - ctrBase), of: maxCount, uploadUntil, simulated: device.value.simulated } };
}

function judged(edge: Edge, check: () => void): EdgeResult {
  try {
    check();
    return { edge, ok: true, what: null };
  } catch (error) {
    const why = brokenBy(error);
    if (why === null) throw error;
    return { edge, ok: false, what: why.what };
  }
}

/** Its signed objects, or the edge of the first that is not signed by whom it must be. */
function openVoucher(value: Voucher, trust: Trust, nowS: number): Opened | EdgeResult {
  let opened: Partial<Opened> = { voucher: value, nowS };
  const steps: readonly (readonly [Edge, () => Partial<Opened>])[] = [
    ['allowance-mandate', () => ({ allowance: issued(OFFLINE_ALLOWANCE, value.allowance, trust) })],
    ['device-ak', () => ({ device: issued(DEVICE_RECORD, value.device, trust) })],
    ['closed-mandate', () => ({ closed: openClosedOf(value.closedMandate, value.binding.mandateSha256, opened.allowance!.value.cnf.jwk, value.binding).closed })],
  ];
  for (const [edge, open] of steps) {
    const result = judged(edge, () => { opened = { ...opened, ...open() }; });
    if (!result.ok) return result;
  }
  return opened as Opened;
}
