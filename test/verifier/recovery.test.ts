import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXECUTION_TOKEN, RECEIPT } from '../../src/objects/settlement.js';
import { open } from '../../src/objects/signed.js';
import { verifyChain } from '../../src/deposit/chain.js';
import { ledgerRail, type Rail, type RailAnswer } from '../../verifier/rail.js';
import type { Store } from '../../verifier/store/verbs.js';
import { type Death, dyingStore } from './support/dying.js';
import { TestPayer } from './support/payer.js';

let payer: TestPayer;
let store: Store;
beforeAll(async () => {
  payer = await TestPayer.start();
  await payer.enrol();
  await payer.openCarrier();
  await payer.giveMandate();
  store = await payer.service.store();
});
afterAll(async () => {
  await store.close();
  await payer.stop();
});

const balance = async () => (await store.carrier(payer.carrierId))!;
/** What holds after every crash: the books balance, nothing is reserved for ever, each payment settled once and is in the carrier's unbroken chain. */
async function audit(paymentId: string, spentBefore: bigint): Promise<void> {
  const { reserved, spent } = await balance();
  expect([reserved, spent - spentBefore, await store.ledgerSum()]).toEqual([0n, 9900n, 0n]);
  const leaves = verifyChain((await store.chain(payer.carrierId)).map(({ leaf }) => leaf));
  const payment = (await store.payment(paymentId))!;
  const kinds = leaves.filter((leaf) => leaf.payment === payment.paymentSha256).map(({ kind }) => kind);
  expect([payment.state, kinds]).toEqual(['settled', ['permitted', 'settled']]);
}
/** How this payment ended; also of others a device is told, for instance that their time was over. */
const executed = (id: string) => payer.link.next('execution', ({ paymentId }) => paymentId === id);
/** Waits until the killed process has stopped moving. */
const until = async (done: () => boolean): Promise<void> => {
  for (let i = 0; i < 500 && !done(); i++) await new Promise((next) => setTimeout(next, 10));
  expect(done()).toBe(true);
};

describe('a verifier that is killed', () => {
  /** A rail beside the database: a redemption is committed before it is asked, and what it said after. */
  const besideLedger: Rail = { ...ledgerRail, name: 'beside', within: false };
  const deaths: (Death & { rail: Rail })[] = [
    { verb: 'decide', when: 'after', rail: ledgerRail },
    { verb: 'sequence', when: 'before', rail: ledgerRail }, { verb: 'sequence', when: 'after', rail: ledgerRail },
    ...[ledgerRail, besideLedger].flatMap((rail) => (['before', 'after'] as const).map((when) => ({ verb: 'releaseToken', when, rail }) as const)),
    { verb: 'finishRedemption', when: 'before', rail: besideLedger }, { verb: 'finishRedemption', when: 'after', rail: besideLedger },
  ];
  it.each(deaths)('$when $verb pays once all the same, when it runs again (rail: $rail.name)', async ({ rail, ...death }) => {
    const dying = dyingStore(await payer.service.store(), death);
    await payer.service.restart({ store: dying, rail });
    await payer.reconnect();
    const { spent } = await balance();
    const message = await payer.attempt(payer.intent());
    dying.arm();
    payer.link.send('payment', message);
    await until(() => dying.dead);
    await payer.service.restart({ rail });
    await payer.reconnect();
    const answer = await payer.link.ask('settle_query', { paymentId: message.paymentId });
    expect(answer.type === 'decision' && answer.body.state).toBe('settled');
    expect((await executed(message.paymentId)).state).toBe('settled');
    await audit(message.paymentId, spent);
  });

  it('before decide has decided nothing: the device may ask again with new evidence', async () => {
    const dying = dyingStore(await payer.service.store(), { verb: 'decide', when: 'before' });
    await payer.service.restart({ store: dying });
    await payer.reconnect();
    const { spent } = await balance();
    const message = await payer.attempt(payer.intent());
    dying.arm();
    payer.link.send('payment', message);
    await until(() => dying.dead);
    await payer.service.restart();
    await payer.reconnect();
    expect(await payer.link.answerTo('settle_query', { paymentId: message.paymentId })).toBe('intake.not_found');
    expect((await payer.decision(await payer.attempt(message.intent, { paymentId: message.paymentId }))).state).toBe('permitted');
    expect((await executed(message.paymentId)).state).toBe('settled');
    await audit(message.paymentId, spent);
  });

  it('and comes back after the permit has expired gives no token: the money is free again', async () => {
    const dying = dyingStore(await payer.service.store(), { verb: 'releaseToken', when: 'before' });
    await payer.service.restart({ store: dying });
    await payer.reconnect();
    const { spent } = await balance();
    const message = await payer.attempt(payer.intent());
    dying.arm();
    payer.link.send('payment', message);
    await until(() => dying.dead);
    await payer.service.restart({ now: () => Date.now() + 700_000 });
    expect(await balance()).toMatchObject({ spent, reserved: 0n });
    expect(await store.executionToken(message.paymentId)).toBeNull();
    expect((await store.payment(message.paymentId))!.state).toBe('expired');
    await payer.service.restart();
    await payer.reconnect();
  });
});

describe('a log that cannot be written', () => {
  it('means no token and no money, and the payment goes on when the log is back', async () => {
    const real = await payer.service.store();
    let broken = false;
    const failing: Store = { ...real, sequence: (...args) => (broken ? Promise.reject(new Error('disk full')) : real.sequence(...args)) };
    await payer.service.restart({ store: failing });
    await payer.reconnect();
    const { spent } = await balance();
    const message = await payer.attempt(payer.intent());
    broken = true;
    expect(await payer.link.answerTo('payment', message)).toBe('deposit.unavailable');
    expect([await store.executionToken(message.paymentId), await store.receipt(message.paymentId), (await balance()).spent]).toEqual([null, null, spent]);
    broken = false;
    expect((await payer.decision(message)).state).toBe('permitted');
    expect((await executed(message.paymentId)).state).toBe('settled');
    await audit(message.paymentId, spent);
  });
});

describe('a rail', () => {
  const railOf = (pay: () => Promise<RailAnswer>, query: () => Promise<RailAnswer>) => {
    const calls = { pay: 0, query: 0 };
    const rail: Rail = { name: 'test', within: false, pay: () => { calls.pay++; return pay(); }, query: () => { calls.query++; return query(); } };
    return { rail, calls };
  };
  const settled = (): Promise<RailAnswer> => Promise.resolve({ outcome: 'settled', reference: 'psp-7' });
  const run = async (rail: Rail) => {
    await payer.service.restart({ rail });
    await payer.reconnect();
    const { spent } = await balance();
    const message = await payer.attempt(payer.intent());
    await payer.decision(message);
    return { message, spent, told: await executed(message.paymentId) };
  };

  it('that gives no answer leaves the outcome unknown: it is asked for, and never paid again', async () => {
    let answer: RailAnswer = { outcome: 'unknown' };
    const { rail, calls } = railOf(() => Promise.reject(new Error('connection reset')), () => Promise.resolve(answer));
    const { message, spent, told } = await run(rail);
    expect([told.state, told.receipt]).toEqual(['outcome_unknown', null]);
    await payer.decision(message);
    expect((await executed(message.paymentId)).state).toBe('outcome_unknown');
    answer = { outcome: 'settled', reference: 'psp-7' };
    await payer.service.restart({ rail });
    await audit(message.paymentId, spent);
    expect(calls.pay).toBe(1);
    expect(calls.query).toBeGreaterThanOrEqual(2);
    const receipt = open(RECEIPT, (await store.receipt(message.paymentId))!, (await payer.service.trust()).keys).value;
    expect(receipt.pspConfirmationId).toBe('psp-7');
  });

  it('that declines gives the money back, with a receipt that says why', async () => {
    const { rail } = railOf(() => Promise.resolve({ outcome: 'declined' }), settled);
    const { spent, told } = await run(rail);
    expect(told.state).toBe('failed');
    const { keys } = await payer.service.trust();
    expect(open(RECEIPT, told.receipt!, keys).value).toMatchObject({ status: 'Error', error: 'settle.declined', executionSha256: open(EXECUTION_TOKEN, told.execution!, keys).sha256 });
    expect(await balance()).toMatchObject({ spent, reserved: 0n });
    expect(await store.ledgerSum()).toBe(0n);
  });

  it('is asked once by those who settle the same payment at the same time', async () => {
    const { rail, calls } = railOf(async () => { await new Promise((done) => setTimeout(done, 200)); return settled(); }, settled);
    await payer.service.restart({ rail });
    await payer.reconnect();
    const message = await payer.attempt(payer.intent());
    for (let i = 0; i < 4; i++) payer.link.send('payment', message);
    const receipts = [];
    for (let i = 0; i < 4; i++) receipts.push((await executed(message.paymentId)).receipt);
    expect([new Set(receipts).size, calls.pay]).toEqual([1, 1]);
  });

  it('of the ledger has nothing to lose', async () => {
    const order = {} as Parameters<Rail['pay']>[0];
    expect(await ledgerRail.query(order)).toEqual(await ledgerRail.pay(order));
  });
});
