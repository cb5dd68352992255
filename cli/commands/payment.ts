import type { Command } from 'commander';
import { decode } from '../../src/base/shape.js';
import type { Json } from '../../src/base/json.js';
import { format } from '../../src/money.js';
import { type Intent, intent } from '../../src/objects/intent.js';
import { disputePayment, refundPayment, rejectDispute } from '../actions.js';
import { fault } from '../../src/base/fault.js';
import { paint, plain, show, table, word } from '../output.js';
import { adminApi, apiFor, type AsEither, type AsOperator, type AsUser, calling, minorUnits, userOf } from './options.js';

type Row = Record<string, Json>;
const intentIn = (row: Row): Intent => decode(intent, row['intent'], 'payment');
const colour = (state: Json | undefined) => (state === 'settled' ? 'green' : state === 'denied' || state === 'failed' || state === 'expired' ? 'red' : 'yellow');
const stateOf = ({ state, code }: Row): string => `${paint(colour(state), word(state))}${code === null ? '' : ` (${word(code)})`}`;

/** How an attempt was decided, and what was found where that was no permit: what changed in an agent is named there. */
const attemptLines = ({ n, decision, decided_ms: decidedMs, findings }: Row): [string, string][] => [
  [`attempt ${word(n)}`, `${word(decision)}  ${new Date(Number(decidedMs)).toISOString()}`],
  ...(decision === 'permit' ? [] : (findings as Row[])).map(({ code, message }): [string, string] => ['', `${plain(message)} (${plain(code)})`]),
];

function lines(row: Row): string {
  const { amount, payee, order } = intentIn(row);
  const refunds = (row['refunds'] as Row[]).map((one): [string, string] => ['refund', `${format({ amount: BigInt(one['amount'] as number), currency: amount.currency })}  ${word(one['state'])}`]);
  return table([
    ['payment', `${word(row['payment_id'])}  ${stateOf(row)}`],
    ['pays', `${format(amount)} to ${payee.id}${payee.origin === null ? '' : ` (${payee.origin})`} for ${order.ref}`],
    ['device', word(row['device_id'])],
    ...(row['attempts'] as Row[]).flatMap(attemptLines),
    ...refunds, ...(row['dispute'] === 'none' ? [] : [['dispute', word(row['dispute'])] as [string, string]]),
  ]);
}

function seeing(group: Command): void {
  calling(group.command('list'), 'either')
    .summary('your payments, newest first')
    .description('Lists payments with their state; with --state confirm_required those that wait for you (`ari user confirm`).')
    .option('--state <STATE>', 'only those in this state, e.g. confirm_required')
    .option('--json', 'print one JSON object')
    .action(async (options: AsEither & { state?: string }) => {
      const query = new URLSearchParams({ ...(options.user === undefined ? {} : { user_id: options.user }), ...(options.state === undefined ? {} : { state: options.state }) });
      const view = await apiFor(options).get(`/v1/payment/payments?${query.toString()}`) as { payments: Row[] };
      show(view as unknown as Json, options, () => table(view.payments.map((row) => [word(row['payment_id']), `${stateOf(row)}  ${format(intentIn(row).amount)} to ${intentIn(row).payee.id}`])) || 'none');
    });
  calling(group.command('show <PAYMENT>'), 'either')
    .summary('a payment with its attempts, refunds and dispute')
    .description('Shows what was asked, what was decided at each attempt and why, what was given back, and how a dispute stands.\nOf an agent that was refused for what changed in it, the files are named.')
    .option('--json', 'print one JSON object')
    .action(async (paymentId: string, options: AsEither) => {
      const row = await apiFor(options).get(`/v1/payment/payments/${encodeURIComponent(paymentId)}`) as Row;
      show(row, options, () => lines(row));
    });
}

function disputing(group: Command): void {
  calling(group.command('dispute <PAYMENT>'), 'user')
    .summary('record that you dispute a settled payment')
    .description("Signs your word against the payment; it is deposited and moves no money. The operator ends it with `ari payment resolve`: `ari payment show` says how.")
    .option('--json', 'print one JSON object')
    .action(async (paymentId: string, options: AsUser) => {
      const state = await disputePayment(apiFor(options), userOf(options), paymentId);
      show({ payment_id: paymentId, state }, options, () => `${paymentId} is ${state}`);
    });
  calling(group.command('resolve <PAYMENT>'), 'operator')
    .summary('end a dispute: by a refund, or by rejecting it')
    .description('Gives money back (--refund), or records that the dispute was looked at and nothing is given back (--reject). Either is deposited.')
    .option('--refund <N>', 'minor units to give back')
    .option('--reject', 'nothing is given back')
    .option('--json', 'print one JSON object')
    .action(async (paymentId: string, options: AsOperator & { refund?: string; reject?: boolean }) => {
      if ((options.refund === undefined) === (options.reject === undefined)) throw fault('usage.wrong', { what: 'say how it ends: --refund N or --reject' });
      const api = adminApi(options);
      const view = options.refund === undefined ? await rejectDispute(api, paymentId) : { dispute: 'refunded', ...await refundPayment(api, paymentId, minorUnits(options.refund)) };
      show(view, options, () => `the dispute of ${paymentId} is ${word(view['dispute'])}`);
      process.exitCode = view['state'] === 'failed' ? 1 : 0;
    });
}

export const payments = (ari: Command): void => {
  const group = ari.command('payment').summary('payments as the verifier holds them: see, refund, dispute').description('Payments as they were decided and settled, and what comes after: money that is given back, and disputes. Amounts are integers of minor units.');
  seeing(group);
  calling(group.command('refund <PAYMENT>'), 'operator')
    .summary('give back a settled payment, or a part of it')
    .description('Moves money from the payee back to the carrier it came from. Without --amount everything that was not given back yet. The same --refund-id gives back once.')
    .option('--amount <N>', 'minor units')
    .option('--refund-id <ID>', 'name of this refund (evt_...)')
    .option('--json', 'print one JSON object')
    .action(async (paymentId: string, options: AsOperator & { amount?: string; refundId?: string }) => {
      const view = await refundPayment(adminApi(options), paymentId, options.amount === undefined ? undefined : minorUnits(options.amount), options.refundId);
      show(view, options, () => `refund ${word(view['refund_id'])} is ${word(view['state'])}`);
      process.exitCode = view['state'] === 'failed' ? 1 : 0;
    });
  disputing(group);
};
