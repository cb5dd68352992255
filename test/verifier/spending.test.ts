/**
 * Whatever is done to a carrier, in whatever order and at the same moment, it never spends beyond its rules, and nothing once it was stopped. Random
 * sequences run over the real store, with the real law, from two connections at once; what they leave is judged by looking below the verbs.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import Libsql from 'libsql';
import { describe, expect, it } from 'vitest';
import { Fault } from '../../src/base/fault.js';
import { adjudicate } from '../../src/law/index.js';
import { CARRIER_INSTRUMENT } from '../../src/objects/mandate.js';
import type { CarrierRules } from '../../src/objects/carrier.js';
import { openStore } from '../../verifier/store/store.js';
import type { Store } from '../../verifier/store/verbs.js';
import { input } from '../src/law/case.js';
import { ids, rules as exampleRules } from '../support/examples.js';
import { audit } from './store/bench.js';
import { build, carrierInput, decisionOf, enrolDevice, finish, leaf, mandateRow, NOW, ORIGIN } from './store/world.js';

const HOUR = 3_600_000;
type Limits = Pick<CarrierRules, 'perPaymentMax' | 'totalMax' | 'windows'>;
type Op =
  | { do: 'pay'; amount: bigint; device: '1' | '2' }
  | { do: 'capture'; which: number; part: number }
  | { do: 'refund'; which: number; part: number }
  | { do: 'fund' | 'return'; amount: bigint }
  | { do: 'revise'; limits: Limits }
  | { do: 'freeze' | 'thaw' | 'revoke' | 'revoke_mandate' | 'suspend_device' | 'expire' | 'hour' };

const amount = fc.bigInt({ min: 1n, max: 60n });
const payable = fc.oneof({ weight: 3, arbitrary: fc.bigInt({ min: 1n, max: 25n }) }, { weight: 1, arbitrary: amount });
const limits: fc.Arbitrary<Limits> = fc.record({
  perPaymentMax: fc.bigInt({ min: 20n, max: 60n }), totalMax: fc.bigInt({ min: 100n, max: 400n }),
  windows: fc.array(fc.record({ period: fc.constantFrom('PT1H' as const, 'P1D' as const), max: fc.bigInt({ min: 30n, max: 150n }), count: fc.integer({ min: 1, max: 5 }) }), { maxLength: 2 }),
});
const op: fc.Arbitrary<Op> = fc.oneof(
  { weight: 24, arbitrary: fc.record({ do: fc.constant('pay' as const), amount: payable, device: fc.constantFrom('1' as const, '2' as const) }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('capture' as const), which: fc.nat(20), part: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('refund' as const), which: fc.nat(20), part: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('fund' as const, 'return' as const), amount }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('revise' as const), limits }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constantFrom('freeze' as const, 'thaw' as const, 'thaw' as const, 'thaw' as const, 'expire' as const, 'hour' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('revoke' as const, 'revoke_mandate' as const, 'suspend_device' as const) }) },
);
/** What happens at the same moment, one moment after the other. */
const story = fc.record({ first: limits, moments: fc.array(fc.array(op, { minLength: 1, maxLength: 4 }), { minLength: 4, maxLength: 14 }) });

interface Permit { payment: string; amount: bigint; rev: number; atMs: number; device: string }

class World {
  readonly permits: Permit[] = [];
  readonly limits: Limits[] = [];
  readonly stores: [Store, Store];
  readonly below: Libsql.Database;
  nowMs = NOW;
  private n = 0;

  constructor(stores: [Store, Store], below: Libsql.Database) {
    this.stores = stores;
    this.below = below;
  }

  fresh(what: string): string { return `${what}${++this.n}`; }
  sql<T>(text: string): T[] { return this.below.prepare(text).all() as T[]; }

  async settle(first: Limits): Promise<void> {
    const [store] = this.stores;
    await store.addUser({ userId: 'usr_1', kind: 'person', nowMs: NOW });
    for (const device of ['1', '2']) await enrolDevice(store, device);
    await this.revise(store, first);
    await store.fundCarrier({ eventId: 'first', carrierId: 'crr_1', amount: 300n, nowMs: NOW });
    for (const device of ['1', '2']) await store.addMandate(mandateRow(`mnd_${device}`, device, { level: 'L4', maxPayments: null, expMs: NOW + 1e9 }));
  }

  async revise(store: Store, next: Limits): Promise<void> {
    const rev = ((await store.carrier('crr_1'))?.rev ?? 0) + 1;
    await store.putCarrier(carrierInput('crr_1', { rev, totalMax: next.totalMax, nowMs: this.nowMs }));
    this.limits[rev] = next;
  }

  /** Reads, judges by the law, and decides on exactly what was read; again when something moved meanwhile. */
  async pay(store: Store, { amount: asked, device }: Extract<Op, { do: 'pay' }>): Promise<void> {
    const payment = this.fresh('p');
    for (let tries = 0; tries < 5; tries++) {
      const { carrier, state } = await store.authority({ carrierId: 'crr_1', mandateId: `mnd_${device}`, payee: { id: 'shop', origin: null }, windowsFromMs: [] });
      const ruled = this.limits[carrier!.rev]!;
      const from = ruled.windows.map(({ period }) => this.nowMs - (period === 'PT1H' ? HOUR : 24 * HOUR));
      const read = await store.authority({ carrierId: 'crr_1', mandateId: `mnd_${device}`, payee: { id: 'shop', origin: null }, windowsFromMs: from });
      if (read.carrier!.stateSeq !== carrier!.stateSeq) continue;
      const permitted = this.judge(asked, ruled, { ...state, windows: read.state.windows });
      const decided = await decisionOf(store, permitted ? 'permit' : 'deny', { payment, amount: asked, device, mandateId: `mnd_${device}`, nowMs: this.nowMs, nonce: `${payment} ${tries}` });
      const reserve = decided.reserve && { ...decided.reserve, rev: carrier!.rev, stateSeq: carrier!.stateSeq };
      const result = await store.decide({ ...decided, reserve });
      if (result.ok && permitted) this.permits.push({ payment, amount: asked, rev: carrier!.rev, atMs: this.nowMs, device });
      if (result.ok || !result.retry) return;
    }
  }

  private judge(asked: bigint, ruled: Limits, state: Awaited<ReturnType<Store['authority']>>['state']): boolean {
    const nowS = Math.floor(this.nowMs / 1000);
    const life = { iat: nowS, nbf: nowS, exp: nowS + 600 };
    const { decision } = adjudicate(input({
      intent: { amount: { amount: asked, currency: 'CNY' }, expiresAt: nowS + 300 }, mandate: { ...life, level: 'L4' }, closed: { iat: nowS, exp: nowS + 60 },
      open: { ...life, constraints: [{ type: 'payment.allowed_payment_instruments', allowed: [{ id: ids.carrier, type: CARRIER_INSTRUMENT }] }] },
      rules: { ...ruled, confirmAbove: 1000n, notBefore: 0, notAfter: nowS + 1000, hours: null, levels: [...exampleRules.levels, 'L4'] }, carrier: { nbf: 0, exp: nowS + 1000, rev: state.carrier!.rev },
      state: { windows: state.windows, carrier: { ...state.carrier!, carrierId: ids.carrier }, mandate: { ...state.mandate!, mandateId: ids.mandate } }, nowMs: this.nowMs,
    }));
    return decision === 'permit';
  }

  async capture(store: Store, { which, part }: { which: number; part: number }): Promise<void> {
    const permit = this.permits[which % Math.max(1, this.permits.length)];
    if (!permit) return;
    await store.sequence(ORIGIN, 100, build);
    const deposited = await store.leafByEvent(`evt_${permit.payment}_1`);
    const jti = `tok_${permit.payment}`;
    await store.releaseToken({ jti, paymentId: `pay_${permit.payment}`, reservationId: `rsv_${permit.payment}`, leafIdx: deposited!.idx, token: jti, expiresMs: this.nowMs + 120_000 });
    const captured = (permit.amount * BigInt(part)) / 3n;
    const started = await store.startRedemption({ jti, requestSha256: `${captured}`, amount: captured, nowMs: this.nowMs });
    if (started.mine) await store.finishRedemption(finish(permit.payment, captured === 0n ? { outcome: 'failed', captured, code: 'settle.declined', nowMs: this.nowMs } : { captured, nowMs: this.nowMs }));
  }

  async refund(store: Store, { which, part }: { which: number; part: number }): Promise<void> {
    const permit = this.permits[which % Math.max(1, this.permits.length)];
    if (!permit) return;
    const refundId = this.fresh('evt_refund_');
    await store.startRefund({ refundId, paymentId: `pay_${permit.payment}`, amount: permit.amount / BigInt(part + 1) + 1n, nowMs: this.nowMs });
    await store.finishRefund({ refundId, outcome: part === 0 ? 'failed' : 'settled', receipt: 'refund', leaf: null, nowMs: this.nowMs });
  }

  async state(store: Store, subject: string, kind: 'carrier' | 'mandate' | 'device', state: string): Promise<void> {
    await store.setState({ subject, kind, state, leaf: leaf(this.fresh('evt_state_'), state === 'active' ? 'rules_changed' : 'revoked'), nowMs: this.nowMs });
  }

  run(store: Store, one: Op): Promise<unknown> {
    switch (one.do) {
      case 'pay': return this.pay(store, one);
      case 'capture': return this.capture(store, one);
      case 'refund': return this.refund(store, one);
      case 'fund': return store.fundCarrier({ eventId: this.fresh('fund'), carrierId: 'crr_1', amount: one.amount, nowMs: this.nowMs });
      case 'return': return store.returnFunds({ eventId: this.fresh('return'), carrierId: 'crr_1', amount: one.amount, nowMs: this.nowMs });
      case 'revise': return this.revise(store, one.limits);
      case 'freeze': return this.state(store, 'crr_1', 'carrier', 'frozen');
      case 'thaw': return this.state(store, 'crr_1', 'carrier', 'active');
      case 'revoke': return this.state(store, 'crr_1', 'carrier', 'revoked');
      case 'revoke_mandate': return this.state(store, 'mnd_1', 'mandate', 'revoked');
      case 'suspend_device': return this.state(store, 'dev_2', 'device', 'suspended');
      case 'expire': return store.expireReservations(this.nowMs);
      case 'hour': this.nowMs += HOUR; return Promise.resolve();
    }
  }
}

/** What a rule refuses is refused with a fault or a value; anything else is a bug. */
const refusedOnly = (error: unknown): void => { if (!(error instanceof Fault)) throw error; };

/** No permit is beyond the rules that it was given under, whatever ran beside it. @returns what is wrong */
function overspent(world: World): string[] {
  const wrong: string[] = [];
  const used = new Map(world.sql<{ payment_id: string; amount: number; released: number; created_ms: number }>('SELECT payment_id, amount, released, created_ms FROM reservations').map((row) => [row.payment_id, { left: BigInt(row.amount) - BigInt(row.released), atMs: Number(row.created_ms) }]));
  for (const [at, { payment, amount: asked, rev, atMs }] of world.permits.entries()) {
    const ruled = world.limits[rev]!;
    if (asked > ruled.perPaymentMax) wrong.push(`${payment} is over the limit of one payment`);
    for (const { period, max, count } of ruled.windows) {
      const since = atMs - (period === 'PT1H' ? HOUR : 24 * HOUR);
      const before = world.permits.slice(0, at + 1).map((one) => used.get(`pay_${one.payment}`)!).filter((one) => one.atMs >= since && one.atMs <= atMs && one.left > 0n);
      if (before.reduce((sum, one) => sum + one.left, 0n) > max || before.length > count) wrong.push(`${payment} is over the window ${period}`);
    }
  }
  const [carrier] = world.sql<{ spent: number; reserved: number; total_max: number }>('SELECT spent, reserved, total_max FROM carriers');
  if (carrier!.spent + carrier!.reserved > carrier!.total_max) wrong.push('the carrier is over its total');
  const [moved] = world.sql<{ went: number; came: number }>(`SELECT (SELECT coalesce(sum(amount), 0) FROM transfers WHERE event_id LIKE 'settle:%' AND credit LIKE 'payee:%') AS went, (SELECT coalesce(sum(amount), 0) FROM transfers WHERE event_id LIKE 'refund:%') AS came`);
  if (moved!.came > moved!.went) wrong.push('more was refunded than captured');
  return wrong;
}

/** Rows of the queue and the log in the order in which they were committed: no permit stands after the carrier was stopped. */
function permittedWhileStopped(world: World): string[] {
  const rows = world.sql<{ event_id: string }>(`SELECT event_id FROM committed ORDER BY rowid`);
  const stops = new Map(world.sql<{ event_id: string; body: string }>('SELECT event_id, body FROM committed').map(({ event_id, body }) => [event_id, (JSON.parse(body) as { kind: string; subject?: string }).kind]));
  let stopped = false;
  return rows.flatMap(({ event_id: event }) => {
    const kind = stops.get(event);
    if (event.startsWith('evt_state_') && world.sql(`SELECT 1 FROM carrier_moves WHERE event_id = '${event}'`).length > 0) stopped = kind === 'revoked';
    return kind === 'permitted' && stopped ? [`${event} was permitted while the carrier was stopped`] : [];
  });
}

/** More of them with `ARI_RUNS`. */
const RUNS = Number(process.env['ARI_RUNS'] ?? 40);
const ROOT = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();

/** Tells whether a story can be told without anything going wrong. */
async function tell({ first, moments }: { first: Limits; moments: Op[][] }, worn: (store: Store) => Store = (store) => store): Promise<{ wrong: string[]; permits: number; refusals: number }> {
  const dir = await mkdtemp(join(ROOT, 'ari-spending-'));
  const path = join(dir, 'verifier.db');
  const stores: [Store, Store] = [worn(await openStore({ path })), worn(await openStore({ path }))];
  const below = new Libsql(path);
  below.exec('PRAGMA busy_timeout=5000; PRAGMA synchronous=OFF');
  below.exec(`CREATE TABLE committed(event_id TEXT, body TEXT); CREATE TABLE carrier_moves(event_id TEXT);
    CREATE TRIGGER keep_order AFTER INSERT ON log_queue BEGIN INSERT INTO committed VALUES(NEW.event_id, NEW.body);
      INSERT INTO carrier_moves SELECT NEW.event_id WHERE NEW.event_id LIKE 'evt_state_%' AND (SELECT state FROM last_state) <> (SELECT state FROM carriers); UPDATE last_state SET state = (SELECT state FROM carriers); END;
    CREATE TABLE last_state(state TEXT); INSERT INTO last_state VALUES('active');`);
  const world = new World(stores, below);
  const wrong: string[] = [];
  try {
    await world.settle(first);
    let begun = 0;
    for (const moment of moments) {
      const before = world.permits.length;
      const [{ state: stood } = { state: 'active' }] = world.sql<{ state: string }>('SELECT state FROM carriers');
      await Promise.all(moment.map((one, i) => world.run(stores[i % 2 as 0 | 1], one).catch(refusedOnly)));
      const mayThaw = moment.some((one) => one.do === 'thaw');
      if (stood !== 'active' && (stood === 'revoked' || !mayThaw) && world.permits.length > before) wrong.push(`${world.permits.length - before} permits after the carrier was answered to be ${stood}`);
      begun += moment.filter((one) => one.do === 'pay').length;
    }
    wrong.push(...overspent(world), ...permittedWhileStopped(world), ...(await audit(stores[0], (text) => world.below.prepare(text).all() as never)));
    return { wrong, permits: world.permits.length, refusals: begun - world.permits.length };
  } finally {
    below.close();
    for (const store of stores) await store.close();
    await rm(dir, { recursive: true });
  }
}

describe('a carrier, over all sequences of what can be done to it', () => {
  it('never spends beyond a rule, and nothing from the moment it was stopped', async () => {
    const seen = { permits: 0, refusals: 0 };
    await fc.assert(fc.asyncProperty(story, async (one) => {
      const { wrong, permits, refusals } = await tell(one);
      seen.permits += permits;
      seen.refusals += refusals;
      expect(wrong).toEqual([]);
    }), { numRuns: RUNS });
    expect(seen.permits).toBeGreaterThan(RUNS);
    expect(seen.refusals).toBeGreaterThan(RUNS);
  }, 120_000);

  /** Decides on whatever stands there now instead of on what was judged. */
  const careless = (store: Store): Store => ({
    ...store,
    decide: async (given) => {
      for (;;) {
        const { rev, stateSeq } = (await store.carrier('crr_1'))!;
        const result = await store.decide({ ...given, reserve: given.reserve && { ...given.reserve, rev, stateSeq } });
        if (result.ok || !result.retry || given.reserve === null) return result;
      }
    },
  });

  it('is judged by eyes that see: a service that does not decide on what it judged is caught', async () => {
    const first: Limits = { perPaymentMax: 60n, totalMax: 400n, windows: [{ period: 'P1D', max: 60n, count: 5 }] };
    const pay: Op = { do: 'pay', amount: 50n, device: '1' };
    const moments: Op[][] = [[pay, { ...pay, device: '2' }]];
    expect(await tell({ first, moments })).toMatchObject({ wrong: [], permits: 1 });
    expect((await tell({ first, moments }, careless)).wrong).toEqual([expect.stringContaining('over the window P1D')]);
  });
});
