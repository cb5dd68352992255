/** Real processes to be killed: software TPM, sidecar, verifier, payment service provider and agent, with a wire between sidecar and verifier. */
import { setTimeout as sleep } from 'node:timers/promises';
import { join } from 'node:path';
import { verifyBundle } from '../../attest/bundle.js';
import { confirmPayment, fundCarrier, order as userOrder, paymentIntent, putCarrier, putPayee } from '../../cli/actions.js';
import { AGENT_ID, type Answer, Stage } from '../../cli/demo/stage.js';
import type { Process } from '../../cli/demo/processes.js';
import { splitJws } from '../../src/base/jws.js';
import type { CarrierRules } from '../../src/objects/carrier.js';
import { parseTrust } from '../../src/objects/trust.js';
import { loadConfig, placeOf } from '../../verifier/config.js';
import { loadKeys } from '../../verifier/keys.js';
import { openStore } from '../../verifier/store/store.js';
import { Cluster } from '../support/postgres/cluster.js';
import { Psp } from '../support/psp/process.js';
import { audit } from '../verifier/store/bench.js';
import type { SqlRow } from '../support/postgres/sql.js';
import { below } from './below.js';
import { Wire } from './link.js';

export type Victim = 'sidecar' | 'verifier' | 'psp' | 'database';
/** Those that are processes of the stage. */
export type Staged = Exclude<Victim, 'psp' | 'database'>;
export interface Purchase { key: string; mandateId: string; bound?: 'exact' | 'max'; captureUntil?: number }

const AMOUNT = 100;

/** The payment as the agent was told it: a refusal holds it as a member. */
export const paymentOf = ({ body }: Pick<Answer, 'body'>): Record<string, unknown> => (body['payment'] ?? body) as Record<string, unknown>;

export class Bed {
  readonly stage: Stage;
  readonly psp: Psp;
  readonly wire: Wire;
  /** A database that can be killed by itself; without it the verifier's is a file and dies with it. */
  readonly database: Cluster | null;
  standing = '';
  asking = '';

  private constructor(stage: Stage, psp: Psp, wire: Wire, database: Cluster | null) {
    this.database = database;
    this.stage = stage;
    this.psp = psp;
    this.wire = wire;
  }

  /** `offline`: what the carrier permits of it. `database`: a server of its own in place of the verifier's file. */
  static async open({ offline = null, database = null }: { offline?: CarrierRules['offline']; database?: Cluster | null } = {}): Promise<Bed> {
    const stage = await Stage.open();
    const psp = await Psp.prepare(stage.dir);
    const bed = new Bed(stage, psp, await Wire.open(() => stage.url), database);
    await stage.startTpm();
    stage.link = bed.wire.url;
    await stage.startVerifier(`\n[roles.settlement]\nadapter = "http"\npsp_url = "${psp.url}"\npsp_key_file = "${psp.keyFile}"\n`, database?.url('postgres'));
    await bed.startPsp();
    await stage.createUser();
    await stage.startSidecar();
    await bed.authorise(offline);
    stage.startAgent();
    return bed;
  }

  /** A carrier large enough for every row, with a mandate at which the rules decide and one at which the user does. */
  private async authorise(offline: CarrierRules['offline']): Promise<void> {
    const { stage } = this;
    const now = Math.floor(Date.now() / 1000);
    await putPayee(stage.api, { payeeId: 'florist', origin: 'https://flowers.example', scenario: 'gift.flowers', settleAccount: 'florist' });
    stage.carrierId = await putCarrier(stage.api, stage.user, {
      currency: 'CNY', agents: [AGENT_ID],
      rules: {
        perPaymentMax: 1_000n, totalMax: 100_000n, windows: [], scenarios: ['gift.flowers'], payees: [{ id: 'florist', origin: 'https://flowers.example', scenario: 'gift.flowers' }],
        notBefore: now - 5, notAfter: now + 86_400, hours: null, levels: ['L2', 'L3', 'L4'], minTier: 'T2', confirmAbove: 1_000n, offline,
      },
    });
    await fundCarrier(stage.api, stage.carrierId, 100_000n);
    this.standing = await stage.signMandate({ level: 'L4', maxPayments: null });
  }

  async startPsp(): Promise<void> {
    await this.psp.start(loadKeys(this.config.keys.dir, this.config.deposit.origin).settlement.jwk);
  }

  private get config() { return loadConfig(join(this.stage.dir, 'verifier', 'verifier.toml')); }

  process(victim: Staged): Process { return this.stage[victim]; }

  /** Kills at once, without waiting for the end. */
  kill(victim: Victim): () => void {
    if (victim === 'psp') return () => void this.psp.kill();
    if (victim === 'database') return () => void this.database?.kill();
    return () => process.kill(this.process(victim).pid, 'SIGKILL');
  }

  /** Waits until somebody else has killed it. */
  async gone(victim: Staged): Promise<void> {
    const { pid } = this.process(victim);
    for (const end = Date.now() + 20_000; Date.now() < end; await sleep(5)) {
      try { process.kill(pid, 0); } catch { return; }
    }
    throw new Error(`the ${victim} lives`);
  }

  async revive(victim: Victim): Promise<void> {
    if (victim === 'psp') {
      await this.psp.died();
      await this.startPsp();
    } else if (victim === 'database') {
      await this.database?.kill();
      await this.database?.run();
    } else if (victim === 'verifier') {
      await this.stage.verifier.stop('SIGKILL');
      await this.stage.restartVerifier();
    } else {
      await this.stage.sidecar.stop('SIGKILL');
      await this.stage.restartSidecar();
    }
  }

  /** The sidecar is connected and has its mandates. */
  async ready(): Promise<void> {
    await this.stage.sidecar.until(async () => {
      const { verifier, agents } = await this.stage.status();
      return verifier.connected && agents.every(({ mandates }) => mandates > 0);
    });
  }

  /** The agent asks; its program ends when the sidecar dies under it, and is then started anew. */
  async ask({ key, mandateId, bound = 'exact', captureUntil }: Purchase): Promise<Answer | null> {
    const text = JSON.stringify({
      key, payee: { id: 'florist', origin: 'https://flowers.example' }, amount: { amount: AMOUNT, currency: 'CNY' }, order: { ref: key }, task_id: 'birthday', scenario: 'gift.flowers',
      mandate_id: mandateId, bound, ...(captureUntil === undefined ? {} : { capture_until: captureUntil }),
    });
    try {
      return JSON.parse(await this.stage.agent.ask(text, 30_000)) as Answer;
    } catch {
      await this.stage.agent.stop('SIGKILL');
      this.stage.startAgent();
      return null;
    }
  }

  /** Asks with the same key until nothing is open any more. */
  async insist(purchase: Purchase, states: string[] = ['settled', 'failed', 'denied', 'expired']): Promise<Answer> {
    let answer: Answer | null = null;
    for (const end = Date.now() + 45_000; Date.now() < end; await sleep(100)) {
      answer = await this.ask(purchase);
      if (answer && states.includes(String(paymentOf(answer)['state']))) return answer;
    }
    throw new Error(`it stays ${JSON.stringify(answer?.body)}; the verifier said: ${this.stage.verifier.log}; the sidecar said: ${this.stage.sidecar.log}`);
  }

  async confirm(paymentId: string): Promise<void> {
    await confirmPayment(this.stage.api, this.stage.user, paymentId, await paymentIntent(this.stage.api, paymentId));
  }

  thaw(): Promise<string> { return userOrder(this.stage.api, this.stage.user, 'thaw', this.stage.carrierId); }
  freeze(): Promise<string> { return userOrder(this.stage.api, this.stage.user, 'freeze', this.stage.carrierId); }

  /** Ledger, log, carrier and the provider's book agree; the agent is told what the verifier knows; and the bundle verifies. @returns what is wrong */
  async check(answer: Answer): Promise<string[]> {
    const place = placeOf(this.config);
    const store = await openStore(place);
    const { sql, close } = below(place);
    try {
      return [...(await audit(store, sql)), ...this.compare(sql), ...(await this.truth(answer))];
    } finally {
      await close();
      await store.close();
    }
  }

  /** What moved at the provider is what was captured and refunded here: nothing twice, nothing lost, nothing left reserved. */
  private compare(sql: (text: string) => SqlRow[]): string[] {
    const booked = this.psp.book().filter(({ outcome }) => outcome === 'settled').map(({ id, amount }) => `${id} ${amount}`).sort();
    const rows = sql(`SELECT jti AS id, amount FROM redemptions WHERE state = 'settled' UNION ALL SELECT refund_id, amount FROM refunds WHERE state = 'settled'`) as unknown as { id: string; amount: bigint }[];
    const kept = rows.map(({ id, amount }) => `${id} ${amount}`).sort();
    const open = sql(`SELECT payment_id FROM payments WHERE state IN('permitted','deposited','released','outcome_unknown')`);
    return [
      ...(booked.join() === kept.join() ? [] : [`the provider moved ${booked.join()}, the verifier knows ${kept.join()}`]),
      ...(open.length === 0 ? [] : ['a payment is still open']),
    ];
  }

  private async truth({ body, bundle }: Answer): Promise<string[]> {
    const told = paymentOf({ body });
    const known = (await this.stage.api.get(`/v1/payment/payments/${String(told['payment_id'])}`)) as Record<string, unknown>;
    const wrong = (['state', 'receipt'] as const).filter((name) => told[name] !== known[name]).map((name) => `the agent is told ${name} ${String(told[name])}, the verifier knows ${String(known[name])}`);
    const keys = JSON.stringify(await this.stage.api.get('/.well-known/jwks.json'));
    const { firstBroken } = verifyBundle(bundle ?? '{}', parseTrust(keys));
    return firstBroken === null ? wrong : [...wrong, `the bundle breaks at ${firstBroken}`];
  }

  async close(): Promise<void> {
    this.wire.close();
    await this.psp.kill();
    await this.stage.close();
    await this.database?.close();
  }
}

export const amountOf = (receipt: unknown): number => ((JSON.parse(splitJws(String(receipt)).payload.toString()) as { amount: { amount: number } }).amount.amount);
