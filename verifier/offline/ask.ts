/** The carrier issuer gives a connected device what it may spend without network, for one mandate. The device's counter, certified when it connected, is where it begins. */
import { tierOf } from '../../attest/verify/platform.js';
import { fault } from '../../src/base/fault.js';
import { allowanceTerms, asKnown, maxPayments, type AllowanceTerms } from '../../src/law/index.js';
import { OFFLINE_TIER } from '../../src/law/offline.js';
import { TIERS, atLeast, type Tier } from '../../src/names.js';
import { OFFLINE_ALLOWANCE, type OfflineAllowance } from '../../src/objects/allowance.js';
import { type AuthorityState, CARRIER, type Carrier, type PayeeRule, rulesHash } from '../../src/objects/carrier.js';
import { DEVICE_RECORD } from '../../src/objects/device.js';
import { open, seal, tokenHash, type Verified } from '../../src/objects/signed.js';
import { mandateHash, type OpenedMandate } from '../../src/sdjwt/index.js';
import { freshId, type Verifier } from '../context.js';
import { allowanceEvent } from '../events.js';
import { openUserMandate, PERIOD_MS } from '../inputs.js';
import { leafDraft } from '../leaves.js';
import type { DeviceRow } from '../store/verbs.js';

const TRIES = 5;
const refuse = (what: string) => fault('offline.not_allowed', { what });

/**
 * The allowance that the device holds since it connected, or a new one.
 * @param tier what the device's platform was found to be at this connection
 * @throws Fault offline.not_allowed, intake.not_found, mandate.*, carrier.busy
 */
export async function askAllowance(v: Verifier, device: DeviceRow, mandateId: string, tier: Tier): Promise<string> {
  const row = await v.store.mandate(mandateId);
  if (row?.deviceId !== device.deviceId) throw fault('intake.not_found', { what: `mandate ${mandateId}` });
  assertDevice(v, device, tier);
  await v.store.stopAllowances(device.deviceId);
  const live = await v.store.liveAllowance(mandateId, device.deviceId);
  if (live) return deposited(v, live.allowanceId, live.token);
  const mandate = await openUserMandate(v, row.token);
  for (let tries = 0; tries < TRIES; tries++) {
    const issued = await issue(v, device, mandate);
    if (issued !== null) return issued;
  }
  throw fault('carrier.busy');
}

/** A device whose counter nobody vouches for could spend an allowance twice. */
function assertDevice(v: Verifier, { record, simulated }: DeviceRow, tier: Tier): void {
  const { value } = open(DEVICE_RECORD, record, v.trust.keys);
  if (value.counterName === null || !atLeast(TIERS, tier, OFFLINE_TIER) || !atLeast(TIERS, tierOf(value), OFFLINE_TIER)) throw refuse(`the device does not reach tier ${OFFLINE_TIER} with a counter`);
  const { allowSimulated, requireIma, ima } = v.trust.policy().value;
  if (simulated && !allowSimulated) throw refuse('the TPM is simulated');
  if (requireIma || ima !== undefined) throw refuse('the policy asks for an IMA list, and none is shown offline');
}

/** No allowance is told before its leaf is in the log. */
async function deposited(v: Verifier, allowanceId: string, token: string): Promise<string> {
  await v.log.deposit(allowanceEvent(allowanceId, 'issued'));
  return token;
}

async function issue(v: Verifier, device: DeviceRow, mandate: OpenedMandate): Promise<string | null> {
  const { value, token } = mandate.mandate;
  const { carrier, state } = await readCarrier(v, mandate);
  await openUserMandate(v, token); // again: a key that ended before `state` was read signs no more, one that ends from now on moves the carrier
  const clock = await v.store.clock(device.akName);
  if (!state.carrier || !clock || clock.ctr === null) throw refuse('the counter of the device is not known');
  const terms = await termsOf(v, mandate, carrier.value, state);
  const allowance: OfflineAllowance = {
    iss: v.config.issuers.carrier, jti: freshId(v, 'alw'), iat: Math.floor(v.now() / 1000), ...terms, carrierId: carrier.value.jti, carrierRev: carrier.value.rev, mandateId: value.jti, mandateSha256: mandateHash(token),
    deviceId: device.deviceId, akName: device.akName, cnf: value.cnf, currency: carrier.value.currency, ctrBase: clock.ctr, clockBase: clock.clock,
  };
  const sealed = seal(OFFLINE_ALLOWANCE, allowance, v.keys.carrier);
  const draft = leafDraft(v, { kind: 'allowance_issued', chain: carrier.value.jti, mandate: allowance.mandateSha256, carrier: carrier.sha256, subject: tokenHash(sealed) });
  const { rev, stateSeq } = state.carrier;
  const stored = await v.store.issueAllowance({
    ...terms, allowanceId: allowance.jti, carrierId: allowance.carrierId, rev, stateSeq, mandateId: value.jti, maxPayments: maxPayments(value.level, value.task.maxPayments), deviceId: device.deviceId, akName: device.akName,
    token: sealed, clock, ctrBase: clock.ctr, uploadUntilMs: terms.uploadUntil * 1000, leaf: { eventId: allowanceEvent(allowance.jti, 'issued'), draft }, nowMs: v.now(),
  });
  return stored.ok ? deposited(v, allowance.jti, sealed) : null;
}

/** @throws Fault offline.not_allowed when the mandate was not made for these rules or looser ones */
async function readCarrier(v: Verifier, { mandate: { value } }: OpenedMandate): Promise<{ carrier: Verified<Carrier>; state: AuthorityState }> {
  const { id: carrierId, rulesSha256 } = value.carrier;
  const row = await v.store.carrier(carrierId);
  if (!row) throw fault('intake.not_found', { what: `carrier ${carrierId}` });
  const carrier = open(CARRIER, row.token, v.trust.keys);
  const { rules, rev } = carrier.value;
  const revisions = rulesHash(rules) === rulesSha256 ? [] : (await v.store.revisionsSince(carrierId, rulesSha256, rev)).map((one) => open(CARRIER, one, v.trust.keys).value);
  if (!asKnown(rulesSha256, carrier.value, revisions)) throw refuse('the mandate was made for other rules of the carrier');
  const windowsFromMs = rules.windows.map(({ period }) => v.now() - PERIOD_MS[period]);
  const { state } = await v.store.authority({ carrierId, mandateId: value.jti, payee: { id: '', origin: null }, windowsFromMs });
  return { carrier, state };
}

async function termsOf(v: Verifier, { mandate, open: openMandate }: OpenedMandate, carrier: Carrier, state: AuthorityState): Promise<AllowanceTerms> {
  const scenarios = new Map<PayeeRule, string | null>();
  for (const payee of carrier.rules.payees) scenarios.set(payee, (await v.store.payee(payee.id, payee.origin))?.scenario ?? null);
  const ruling = allowanceTerms({
    mandate: mandate.value, open: openMandate, carrier, state, held: await v.store.heldOffline(carrier.jti), scenarioOf: (payee) => scenarios.get(payee) ?? null,
    policy: v.trust.policy().value, nowS: Math.floor(v.now() / 1000),
  });
  if ('refused' in ruling) throw refuse(ruling.refused);
  return ruling.terms;
}
