/** What a rule may read, and what it may answer. */
import type { Sha256 } from '../base/bytes.js';
import type { Finding } from '../base/fault.js';
import type { Code } from '../codes.js';
import type { EarStatus, Level, Tier } from '../names.js';
import type { AuthorityState, Carrier } from '../objects/carrier.js';
import type { Confirmation, Policy } from '../objects/decision.js';
import type { Intent } from '../objects/intent.js';
import type { ClosedPayment, Mandate, OpenPayment } from '../objects/mandate.js';
import type { OfflineFacts } from './offline.js';

/** The part of an appraisal that a decision rests on; attest's results fit. */
export interface Appraised { authentic: boolean; status: EarStatus; tier: Tier; simulated: boolean; code: Code | null; findings: readonly Finding[] }

/** The agent as measured: what the evidence, not the request, says. */
export interface MeasuredAgent { agentId: string; manifestSha256: Sha256 }

/**
 * Everything a payment is judged by. What is not known is absent; a rule names what it needs and is not asked without it. An `appraisal` stands
 * here only when a decision is being made: then what else is absent is itself denied.
 */
export interface Facts {
  readonly intent: Intent;
  readonly nowMs: number;
  readonly mandate?: Mandate | undefined;
  readonly open?: OpenPayment | undefined;
  readonly carrier?: Carrier | undefined;
  /** Earlier revisions of the carrier, from the one that the mandate names up to, without, the present one; none when it names that. */
  readonly revisions?: readonly Carrier[] | undefined;
  readonly paymentSha256?: Sha256 | undefined;
  readonly closed?: ClosedPayment | undefined;
  readonly mandateFault?: Finding | undefined;
  readonly state?: AuthorityState | undefined;
  readonly funds?: NonNullable<AuthorityState['carrier']> | undefined;
  readonly uses?: NonNullable<AuthorityState['mandate']> | undefined;
  readonly appraisal?: Appraised | undefined;
  readonly agent?: MeasuredAgent | undefined;
  readonly policy?: Policy | undefined;
  readonly confirmation?: Confirmation | undefined;
  /** Of a payment made offline alone: then what moves online (state, funds, uses) is absent. */
  readonly offline?: OfflineFacts | undefined;
  /** The level that mandate, carrier and policy leave; absent when they leave none. */
  readonly level?: Level | undefined;
}

/** deny: never. confirm: the user has to say so. doubt: what the mandate's level makes of a doubt. permit: worth telling, no more. null: nothing against it. */
export type Verdict = { readonly result: 'deny' | 'confirm' | 'doubt' | 'permit'; readonly finding: Finding } | null;

export const deny = (finding: Finding): Verdict => ({ result: 'deny', finding });
export const confirm = (finding: Finding): Verdict => ({ result: 'confirm', finding });
export const doubt = (finding: Finding): Verdict => ({ result: 'doubt', finding });
export const note = (finding: Finding): Verdict => ({ result: 'permit', finding });

/** Facts of which some are known. */
export type Known<K extends keyof Facts> = Facts & { readonly [P in K]-?: NonNullable<Facts[P]> };

/** A rule as a row: its name in the decision's checks, what it needs to know, and the check itself. */
export interface Rule { readonly name: string; readonly needs: readonly (keyof Facts)[]; readonly check: (facts: Facts) => Verdict }

export const rule = <K extends keyof Facts>(name: string, needs: readonly K[], check: (facts: Known<K>) => Verdict): Rule => ({ name, needs, check: check as Rule['check'] });

export const seconds = (facts: Facts): number => Math.floor(facts.nowMs / 1000);

/** Within a life. A clock that differs may begin it up to 5 s early; nothing prolongs its end. */
export const alive = (facts: Facts, from: number, until: number): boolean => seconds(facts) + 5 >= from && seconds(facts) < until;
