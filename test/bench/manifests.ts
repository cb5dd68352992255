/** What the size of an agent costs a verifier at a payment: its manifest names every file of it. */
import { manifestOf } from '../support/agent.js';
import { TestPayer } from '../verifier/support/payer.js';
import { median, ratioOf, row, timed, type Row } from './harness.js';

const FILES = [10, 5_000, 20_000];
/** Of each agent, in turn; the first are left out. */
const ROUNDS = { warm: 5, counted: 30 };

/** A verifier of its own, whose agent has paid with its manifest brought. */
async function payerOf(files: number): Promise<TestPayer> {
  const payer = await TestPayer.start({}, '', '', manifestOf(files));
  await payer.enrol();
  await payer.openCarrier();
  await payer.giveMandate();
  return payer;
}

/** From the message of the payment to its decision, deposited and durable; the payment has ended when the next one begins. */
async function decided(payer: TestPayer): Promise<number> {
  const message = await payer.attempt(payer.intent());
  const ms = await timed(() => payer.decision(message));
  await payer.link.next('execution');
  return ms;
}

export async function manifests(): Promise<Row[]> {
  const payers: TestPayer[] = [];
  try {
    for (const files of FILES) payers.push(await payerOf(files));
    const samples = payers.map((): number[] => []);
    for (let round = -ROUNDS.warm; round < ROUNDS.counted; round++) for (const [n, payer] of payers.entries()) samples[n]!.push(await decided(payer));
    const [fewest = [], ...more] = samples.map((each) => each.slice(ROUNDS.warm));
    return more.map((these, n) => row(`a payment decided, its agent of ${FILES[n + 1]!.toLocaleString('en')} files`, median(these), 'ms', { beside: { what: `of ${FILES[0]} files`, value: median(fewest) }, ratio: ratioOf(these, fewest) }));
  } finally {
    for (const payer of payers) await payer.stop();
  }
}
