/** The mandates and carriers that the verifier says are valid on this device. Held in memory only: after a restart the verifier says them again. */
import type { Sha256 } from '../../src/base/bytes.js';
import { type Verified, open } from '../../src/objects/signed.js';
import { CARRIER, type Carrier } from '../../src/objects/carrier.js';
import type { Payee, PaymentRequest } from '../../src/objects/intent.js';
import type { Mandate, OpenPayment } from '../../src/objects/mandate.js';
import type { LinkBody } from '../../src/link.js';
import type { Trust } from '../../src/objects/trust.js';
import { withUserKeys } from '../../src/objects/userkey.js';
import { fault } from '../../src/base/fault.js';
import { openMandate } from '../../src/sdjwt/index.js';
import type { Agent } from '../ports.js';
import type { Log } from '../tpm/types.js';

/** A mandate with its open payment mandate and its carrier, all verified. */
export interface Held { token: string; mandate: Verified<Mandate>; open: OpenPayment; carrier: Verified<Carrier> }

export class Wallet {
  /** The records of the keys of the users who signed the mandates. */
  userKeys: readonly string[] = [];
  private held: Held[] = [];
  private readonly ended = new Set<string>();
  private readonly trust: Trust;
  private readonly log: Log;

  constructor(trust: Trust, log: Log) {
    this.trust = trust;
    this.log = log;
  }

  /** Replaces what is held. A mandate that does not verify is left out and named in the log: it would be refused anyway. */
  replace({ mandates, userKeys }: LinkBody<'mandates'>): void {
    const { keys, owner } = withUserKeys(this.trust, userKeys);
    this.userKeys = userKeys;
    this.held = mandates.filter((m) => m.state === 'valid').flatMap(({ mandate, carrier }) => {
      try {
        const opened = openMandate(mandate, keys);
        if (owner(opened.mandate.signer.kid) !== opened.mandate.value.sub) throw fault('mandate.signature');
        return [{ token: mandate, ...opened, carrier: open(CARRIER, carrier, keys) }];
      } catch (error) {
        this.log.warn({ error: (error as Error).message }, 'a mandate of the verifier does not verify');
        return [];
      }
    });
  }

  /** A mandate, a carrier or an agent version (by its manifest's hash) is not valid any more. */
  drop(subject: string): void {
    this.ended.add(subject);
    this.held = this.held.filter(({ mandate: { value }, carrier }) => ![value.jti, carrier.value.jti, value.agent.manifestSha256].includes(subject));
  }

  /** Whether the verifier said since the start that an agent version was revoked: that is for ever. */
  isRevoked(manifestSha256: Sha256): boolean {
    return this.ended.has(manifestSha256);
  }

  count(agentId: string): number {
    return this.held.filter(({ mandate }) => mandate.value.agent.id === agentId).length;
  }

  /** Those whose carrier permits offline payments. */
  offline(): readonly Held[] {
    return this.held.filter(({ carrier }) => carrier.value.rules.offline !== null);
  }

  /** The payee at an origin that the carriers of this agent's mandates name. One name for one origin: of two, nobody could tell who is paid. @throws Fault payee.origin */
  payeeAt(agent: Agent, origin: string): Payee {
    const ids = new Set(this.held.filter(({ mandate }) => mandate.value.agent.id === agent.id).flatMap(({ carrier }) => carrier.value.rules.payees.flatMap((one) => (one.origin === origin ? [one.id] : []))));
    const [id] = ids;
    if (id === undefined || ids.size > 1) throw fault('payee.origin', { origin });
    return { id, origin, name: null };
  }

  /** The mandate to pay with; null when the agent has none: then nobody authorised anything. */
  choose(agent: Agent, request: PaymentRequest, nowS: number): Held | null {
    return choose(this.held, agent, request, nowS);
  }
}

/** The mandate that the request names, else the first in this order: of this agent version, of the request's task, the newest. */
export function choose<T extends Held>(held: readonly T[], agent: Agent, request: PaymentRequest, nowS: number): T | null {
  const live = held.filter(({ mandate: { value } }) => value.agent.id === agent.id && value.nbf <= nowS && nowS < value.exp);
  if (request.mandateId !== null) return live.find(({ mandate }) => mandate.value.jti === request.mandateId) ?? null;
  const rank = ({ mandate: { value } }: T): number => Number(value.agent.manifestSha256 === agent.manifest.sha256) * 2 + Number(value.task.id === request.taskId);
  return live.toSorted((a, b) => rank(b) - rank(a) || b.mandate.value.iat - a.mandate.value.iat)[0] ?? null;
}
