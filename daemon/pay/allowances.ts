/**
 * The offline allowances of this device, with all that a payment under one needs while nobody can be asked: mandate, carrier, policy, device record, the users'
 * keys, and how much of the measurement log the verifier had. In a file, because a terminal may be restarted where there is no network.
 */
import { z } from 'zod';
import { asFault } from '../../src/base/fault.js';
import { type Of, count, record, sha256Text, token } from '../../src/base/shape.js';
import { OFFLINE_ALLOWANCE, type OfflineAllowance } from '../../src/objects/allowance.js';
import { CARRIER } from '../../src/objects/carrier.js';
import { POLICY, type Policy } from '../../src/objects/decision.js';
import { DEVICE_RECORD, type DeviceRecord } from '../../src/objects/device.js';
import type { PaymentRequest } from '../../src/objects/intent.js';
import { open, type Verified } from '../../src/objects/signed.js';
import type { Trust } from '../../src/objects/trust.js';
import { withUserKeys } from '../../src/objects/userkey.js';
import { openMandate } from '../../src/sdjwt/index.js';
import type { Agent } from '../ports.js';
import { readState, removeState, writeState } from '../state.js';
import type { Log } from '../tpm/types.js';
import { choose, type Held } from './wallet.js';

const papers = record({ allowance: token(), mandate: token(), carrier: token(), userKeys: z.array(token()).max(1024), policy: token(), device: token(), epoch: sha256Text, logFrom: count });
const papersFile = record({ papers: z.array(papers).max(1024) });
/** As they are kept. */
export type Papers = Of<typeof papers>;
/** As they are used: every signature checked. */
export interface Allowed extends Held { readonly allowance: Verified<OfflineAllowance>; readonly policy: Verified<Policy>; readonly device: Verified<DeviceRecord>; readonly epoch: string; readonly logFrom: number }

interface Kept { readonly papers: Papers; readonly allowed: Allowed }

export class Allowances {
  #held: Kept[] = [];
  readonly #path: string;
  readonly #trust: Trust;
  readonly #log: Log;

  private constructor(path: string, trust: Trust, log: Log) {
    this.#path = path;
    this.#trust = trust;
    this.#log = log;
  }

  static async open(path: string, trust: Trust, log: Log): Promise<Allowances> {
    const allowances = new Allowances(path, trust, log);
    const kept = await readState(path, papersFile);
    allowances.#held = (kept?.papers ?? []).flatMap((one) => allowances.#opened(one));
    return allowances;
  }

  /** A new allowance takes the place of the one of its mandate. Durable when it resolves; one that does not verify is left out. */
  async put(one: Papers): Promise<void> {
    const [opened] = this.#opened(one);
    if (!opened) return;
    await this.#keep([...this.#held.filter(({ allowed }) => allowed.mandate.value.jti !== opened.allowed.mandate.value.jti), opened]);
  }

  /** Keeps those of these mandates only. @returns whether any was dropped */
  async keepOnly(mandateIds: ReadonlySet<string>): Promise<boolean> {
    const left = this.#held.filter(({ allowed }) => mandateIds.has(allowed.mandate.value.jti));
    if (left.length === this.#held.length) return false;
    await this.#keep(left);
    return true;
  }

  all(): readonly Allowed[] {
    return this.#held.map(({ allowed }) => allowed);
  }

  /** The allowance to pay with, chosen as a mandate is. */
  choose(agent: Agent, request: PaymentRequest, nowS: number): Allowed | null {
    return choose(this.all().filter(({ allowance: { value } }) => nowS < value.exp), agent, request, nowS);
  }

  /** What a full disk does not take is not kept at all: an allowance that was dropped must not be there again after a restart. */
  async #keep(held: Kept[]): Promise<void> {
    this.#held = held;
    try {
      await writeState(this.#path, papersFile, { papers: held.map((one) => one.papers) });
    } catch (error) {
      await removeState(this.#path);
      throw error;
    }
  }

  #opened(one: Papers): Kept[] {
    try {
      const { keys } = withUserKeys(this.#trust, one.userKeys);
      return [{
        papers: one,
        allowed: {
          token: one.mandate, ...openMandate(one.mandate, keys), carrier: open(CARRIER, one.carrier, keys), allowance: open(OFFLINE_ALLOWANCE, one.allowance, keys),
          policy: open(POLICY, one.policy, keys), device: open(DEVICE_RECORD, one.device, keys), epoch: one.epoch, logFrom: one.logFrom,
        },
      }];
    } catch (error) {
      this.#log.warn({ code: asFault(error).code }, 'an offline allowance does not verify');
      return [];
    }
  }
}
