/**
 * Everything a payment is judged by, read for one attempt. The message's own words are never trusted: hashes are computed here, the mandate must be the
 * registered one of this device, and a carrier is looked at only when that mandate names it, so that nobody reads the state of another's.
 */
import type { KnownDevice } from '../attest/types.js';
import { asFault, Fault, type Finding } from '../src/base/fault.js';
import type { Sha256 } from '../src/base/bytes.js';
import type { LinkBody } from '../src/link.js';
import type { OfflineAllowance } from '../src/objects/allowance.js';
import { type AuthorityState, type Carrier, CARRIER, type CarrierRules, rulesHash } from '../src/objects/carrier.js';
import { type Confirmation, CONFIRMATION, CONSENT, type Policy } from '../src/objects/decision.js';
import { paymentHash } from '../src/objects/intent.js';
import type { AgentManifest } from '../src/objects/manifest.js';
import type { ClosedPayment } from '../src/objects/mandate.js';
import { open, type Verified } from '../src/objects/signed.js';
import { closedHash, mandateHash, openClosed, type OpenedMandate, openMandate } from '../src/sdjwt/index.js';
import type { Verifier } from './context.js';
import { knownDevice } from './known.js';
import type { DeviceRow } from './store/verbs.js';
import { userKeyOf } from './users.js';

export type Asked = LinkBody<'payment'>;

export interface Inputs {
  readonly device: KnownDevice;
  /** The one in force when the inputs were read: another may come into force meanwhile. */
  readonly policy: Verified<Policy>;
  readonly paymentSha256: Sha256;
  readonly mandateSha256: Sha256 | null;
  readonly closedSha256: Sha256 | null;
  readonly mandate: OpenedMandate | null;
  readonly closed: ClosedPayment | null;
  readonly mandateFault: Finding | null;
  readonly manifest: Verified<AgentManifest> | null;
  readonly carrier: Verified<Carrier> | null;
  /** Its revisions since the one that the mandate names. */
  readonly revisions: readonly Verified<Carrier>[];
  readonly state: AuthorityState;
  /** `assertion`: of the passkey with which it was given; `kid`: the key that gave it. */
  readonly confirmation: { readonly id: string; readonly opened: Verified<Confirmation>; readonly assertion: string | null; readonly kid: string } | null;
  /** Under which the payment was made offline; absent when it was made online. */
  readonly allowance?: Verified<OfflineAllowance>;
  /** The keys of users that spoke: with them, and no others, mandate and consent are opened again offline. */
  readonly userKids: readonly string[];
}

export const PERIOD_MS: Record<CarrierRules['windows'][number]['period'], number> = { PT1H: 3_600_000, P1D: 86_400_000, P7D: 604_800_000, P30D: 2_592_000_000 };
const NOTHING: AuthorityState = { carrier: null, mandate: null, windows: [], scenario: null };

/**
 * The keys of users are looked at again after the carrier: a key that ends moves its user's carriers (store/people.ts), so one that speaks after `state` was read
 * either speaks still when the decision is stored, or that carrier has moved and the payment is judged again.
 */
export async function readInputs(v: Verifier, row: DeviceRow, asked: Asked): Promise<Inputs> {
  const inputs = await readOnce(v, row, asked);
  const speak = await Promise.all(inputs.userKids.map(async (kid) => (await v.store.userKey(kid, v.now())) !== null));
  return speak.every(Boolean) ? inputs : readInputs(v, row, asked);
}

async function readOnce(v: Verifier, row: DeviceRow, asked: Asked): Promise<Inputs> {
  const { kid, ...opened } = await openAuthority(v, asked);
  const { mandate } = opened;
  const confirmation = await readConfirmation(v, asked.paymentId);
  const isOurs = mandate !== null && (await isRegistered(v, row, mandate));
  return {
    policy: v.trust.policy(),
    device: await knownDevice(v, row, asked.evidence.log.epoch),
    paymentSha256: paymentHash(asked.intent),
    mandateSha256: asked.mandate === null ? null : mandateHash(asked.mandate),
    closedSha256: asked.closedMandate === null ? null : closedHash(asked.closedMandate),
    ...opened,
    ...(isOurs ? await readState(v, asked, mandate) : { carrier: null, revisions: [], state: NOTHING }),
    manifest: mandate && (await v.manifests.of(mandate.mandate.value.agent.manifestSha256)),
    confirmation,
    userKids: [...new Set([kid, confirmation?.kid])].filter((one) => typeof one === 'string'),
  };
}

type Opened = Pick<Inputs, 'mandate' | 'closed' | 'mandateFault'>;

/** Mandate and closed mandate with their signatures checked, or the fault with which one was refused. `kid`: the user's key that the mandate names, if it speaks. */
async function openAuthority(v: Verifier, { mandate: token, closedMandate, evidence }: Asked): Promise<Opened & { kid: string | null }> {
  let user: Speaker | null = null;
  let mandate: OpenedMandate | null = null;
  let closed: ClosedPayment | null = null;
  try {
    if (token !== null) mandate = openAs((user = await mandateUser(v, token)), token);
    if (mandate && closedMandate !== null) ({ closed } = openClosed(closedMandate, mandate.mandate.token, mandate.mandate, { aud: v.config.issuers.verifier, nonce: evidence.binding.nonce }));
    return { mandate, closed, mandateFault: null, kid: user?.kid ?? null };
  } catch (error) {
    const { code, message } = asFault(error);
    if (code === 'bug.internal') throw error;
    return { mandate, closed, mandateFault: { code, message }, kid: user?.kid ?? null };
  }
}

type Speaker = Awaited<ReturnType<typeof userKeyOf>>;

/** The user whose registered key a mandate names. @throws Fault mandate.signature */
const mandateUser = (v: Verifier, token: string): Promise<Speaker> => userKeyOf(v, token.split('~')[0] ?? '').catch((cause: unknown) => { throw new Fault('mandate.signature', {}, cause); });

/** @throws Fault mandate.* */
function openAs({ keys, userId }: Speaker, token: string): OpenedMandate {
  const opened = openMandate(token, keys);
  if (opened.mandate.value.sub !== userId) throw new Fault('mandate.signature');
  return opened;
}

/** A mandate under the registered key of the user that it names. @throws Fault mandate.* */
export const openUserMandate = async (v: Verifier, token: string): Promise<OpenedMandate> => openAs(await mandateUser(v, token), token);

async function isRegistered(v: Verifier, device: DeviceRow, { mandate }: OpenedMandate): Promise<boolean> {
  const row = await v.store.mandate(mandate.value.jti);
  return row?.mandateSha256 === mandateHash(mandate.token) && row.deviceId === device.deviceId;
}

async function readState(v: Verifier, { intent }: Asked, { mandate }: OpenedMandate): Promise<Pick<Inputs, 'carrier' | 'revisions' | 'state'>> {
  const { id: carrierId, rulesSha256 } = mandate.value.carrier;
  const token = (await v.store.carrier(carrierId))?.token;
  const carrier = token === undefined ? null : open(CARRIER, token, v.trust.keys);
  const isAsSigned = carrier === null || rulesHash(carrier.value.rules) === rulesSha256;
  const revisions = isAsSigned ? [] : (await v.store.revisionsSince(carrierId, rulesSha256, carrier.value.rev)).map((one) => open(CARRIER, one, v.trust.keys));
  const windowsFromMs = (carrier?.value.rules.windows ?? []).map(({ period }) => v.now() - PERIOD_MS[period]);
  const { state } = await v.store.authority({ carrierId, mandateId: mandate.value.jti, payee: intent.payee, windowsFromMs });
  return { carrier, revisions, state };
}

/** Consent that no attempt has used, by a key that still speaks. Whether it is for these terms and still young is for the law. */
async function readConfirmation(v: Verifier, paymentId: string): Promise<Inputs['confirmation']> {
  const row = await v.store.confirmation(paymentId);
  if (!row || row.consumedAttempt !== null || (await v.store.userKey(row.keyId, v.now())) === null) return null;
  const { confirmationId: id, token, assertion, keyId: kid } = row;
  const opened = assertion === null ? open(CONFIRMATION, token, (await userKeyOf(v, token)).keys) : open(CONSENT, token, v.trust.keys);
  return { id, opened, assertion, kid };
}
