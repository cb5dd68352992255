/** What the book makes of the verifier's messages, in whatever order they are heard. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openJournal } from '../../daemon/journal/journal.js';
import { Book, type Payment } from '../../daemon/pay/book.js';
import { requestHash } from '../../daemon/pay/intent.js';
import { type Asked, type Ports, executed, pay, ruled } from '../../daemon/pay/pay.js';
import type { LinkBody } from '../../src/link.js';
import { sha256 } from '../../src/base/bytes.js';
import { DECISION } from '../../src/objects/decision.js';
import { paymentHash, type PaymentRequest } from '../../src/objects/intent.js';
import { open, seal } from '../../src/objects/signed.js';
import { decision, ids, intent, NOW, state } from '../support/examples.js';
import { whileFull } from '../support/disk.js';
import { codeOf } from '../support/fault.js';
import { keys, SIGNERS } from '../support/keys.js';

const token = seal(DECISION, { ...decision, decision: 'permit', code: null, findings: [], paymentId: ids.payment, inputs: { ...decision.inputs, paymentSha256: paymentHash(intent), earSha256: null } }, SIGNERS.verifier);
const permitted: LinkBody<'decision'> = {
  paymentId: ids.payment, attempt: 1, state: 'permitted', decision: token, ear: null, carrier: null, revisions: [], policy: token, authority: state, confirmation: null, userKeys: [], userAssertion: null, leaf: 'leaf', proof: 'proof',
};
const settled: LinkBody<'execution'> = { paymentId: ids.payment, state: 'settled', execution: token, receipt: token, leaf: 'leaf', proof: 'proof' };
const proving: Payment = {
  paymentId: ids.payment, agentId: 'example.shopper', manifestSha256: sha256(token), requestSha256: paymentHash(intent), intent, createdMs: NOW * 1000, state: 'proving', decision: null, code: null,
  message: null, attempt: 1, confirmed: false, tier: 'T2', ms: {}, proof: null, ruling: null, result: null,
};

let dir: string;
let book: Book;
let on: Ports;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ari-book-'));
  book = new Book((await openJournal(join(dir, 'j'))).journal, []);
  on = { book, openDecision: (text: string) => open(DECISION, text, keys), session: { device: () => token, logAccepted: () => undefined } } as unknown as Ports;
});
afterEach(async () => {
  await book.close();
  await rm(dir, { recursive: true });
});

it('a settlement that is heard before its decision was taken in is not taken back by it', async () => {
  const payment = { ...proving };
  await Promise.all([executed(payment, settled, on), ruled(payment, permitted, on)]);
  expect(payment).toMatchObject({ state: 'settled', decision: 'permit', ruling: { decision: token }, result: { receipt: token } });
  expect(await book.settled(payment, 1)).toBe(true);
});

it('a permit whose settlement has not come stands as permitted until it does', async () => {
  const payment = { ...proving };
  await ruled(payment, permitted, on);
  expect(payment.state).toBe('permitted');
  await executed(payment, settled, on);
  expect(payment.state).toBe('settled');
});

it('a decision that comes late, of a payment that has ended, does not tell its end before the receipt is there', async () => {
  const payment = { ...proving };
  await ruled(payment, { ...permitted, state: 'settled' }, on);
  expect(payment).toMatchObject({ state: 'permitted', result: null });
  await executed(payment, settled, on);
  expect(payment).toMatchObject({ state: 'settled', result: { receipt: token } });
});

it('a decision is taken in once: a second one of the same payment changes nothing', async () => {
  const payment = { ...proving };
  await ruled(payment, permitted, on);
  await executed(payment, settled, on);
  await ruled(payment, { ...permitted, leaf: 'another' }, on);
  expect(payment).toMatchObject({ state: 'settled', ruling: { leaf: 'leaf' } });
});

it('who asks again for a permitted payment of whose settlement nothing was heard is told how it ended', async () => {
  const request: PaymentRequest = { payee: intent.payee, amount: intent.amount, bound: 'exact', captureUntil: null, scenario: null, order: { ref: 'order', terms: null }, taskId: null, mandateId: null };
  const payment = await book.open({ ...proving, requestSha256: requestHash(request) });
  await ruled(payment, permitted, on);
  const asked: string[] = [];
  const session = {
    device: () => token, isDown: false, standing: () => ({}),
    request: (type: string) => {
      asked.push(type);
      setTimeout(() => void executed(payment, settled, on), 10);
      return Promise.resolve({ type: 'decision', body: permitted });
    },
  };
  const again = (): Promise<Payment> => pay({ peer: {}, agent: { id: payment.agentId }, request, idempotencyKey: payment.intent.idempotencyKey } as Asked, { ...on, session, wallet: { choose: () => null }, nowMs: () => NOW * 1000 } as unknown as Ports);
  expect(await again()).toMatchObject({ state: 'settled', result: { receipt: token } });
  expect(await again()).toMatchObject({ state: 'settled' });
  expect(asked).toEqual(['settle_query']);
});

it('is rebuilt from its journal: the first line of a payment and the steps after it', async () => {
  const payment = await book.open({ ...proving, state: 'received', attempt: 0 });
  await book.write(payment, { state: 'proving', attempt: 1 });
  await ruled(payment, permitted, on);
  await executed(payment, settled, on);
  const { records, journal } = await openJournal(join(dir, 'j'));
  await journal.close();
  expect(records.map((record) => Object.keys(record as object).length > 10)).toEqual([true, false, false, false]);
  expect(Book.replay(records, NOW * 1000)).toEqual([payment]);
  expect(Book.replay(records.slice(0, 2), NOW * 1000)).toEqual([{ ...proving, state: 'proving' }]);
  expect(codeOf(() => Book.replay(records.slice(1), NOW * 1000))).toBe('intake.malformed');
});

it('a payment that the disk did not take is not known: neither told nor begun by who asks again', async () => {
  await whileFull(0, () => expect(book.open({ ...proving, state: 'received', attempt: 0 })).rejects.toThrow());
  expect(book.get(ids.payment)).toBeNull();
  expect(book.find(proving.agentId, intent.idempotencyKey, proving.requestSha256)).toBeNull();
  expect([...book.all()]).toEqual([]);
});

it('a step that the disk did not take was not made: a payment is in the journal before it is told', async () => {
  const payment = await book.open({ ...proving, state: 'received', attempt: 0 });
  await whileFull(0, () => expect(book.write(payment, { state: 'permitted', attempt: 1, tier: 'T1' })).rejects.toThrow());
  expect(payment).toMatchObject({ state: 'received', attempt: 0, tier: 'T2' });
  await book.write(payment, { state: 'proving', attempt: 1 });
  const { records, journal } = await openJournal(join(dir, 'j'));
  await journal.close();
  expect(Book.replay(records, NOW * 1000)).toEqual([payment]);
});
