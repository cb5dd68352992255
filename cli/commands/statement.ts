import type { Command } from 'commander';
import { type Statement, statement } from '../../src/deposit/statement.js';
import { decode, record, token } from '../../src/base/shape.js';
import { z } from 'zod';
import { currency, format, minor } from '../../src/money.js';
import type { Json } from '../../src/base/json.js';
import { parseTrust } from '../../src/objects/trust.js';
import { readFile } from '../keys.js';
import { paint, show, table } from '../output.js';
import { apiFor, type AsEither, calling } from './options.js';

const answer = record({
  carrierId: z.string(), currency, state: z.string(), totalMax: minor, reserved: minor, spent: minor, available: minor,
  leaves: z.array(record({ index: z.int(), eventId: z.string(), leaf: z.string() })), receipts: z.array(token()), proof: z.string().nullable(),
});
type Answer = z.output<typeof answer>;

/** What is said and what is computed; `agrees` when the issuer's total is that of the receipts. */
interface Told { readonly said: Answer; readonly own: Statement; readonly agrees: boolean }

const asJson = ({ said, own, agrees }: Told): Json => ({
  ok: own.wrong.length === 0 && agrees, carrier_id: said.carrierId, currency: said.currency, paid: Number(own.paid), refunded: Number(own.refunded), spent_as_said: Number(said.spent), reserved: Number(said.reserved),
  available: Number(said.available), wrong: own.wrong.map(({ code, message }) => ({ code, message })),
  lines: own.lines.map(({ leaf: { seq, tsMs, kind, code }, paymentId, amount, total }) => ({ seq, ts_ms: tsMs, kind, code, payment_id: paymentId, amount: amount === null ? null : Number(amount), total: Number(total) })),
});

function asText({ said, own, agrees }: Told): string {
  const money = (amount: bigint): string => format({ amount, currency: said.currency });
  const rows = own.lines.map(({ leaf: { seq, tsMs, kind, code }, paymentId, amount, total }): [string, string] => [
    `#${seq}`, `${new Date(tsMs).toISOString()}  ${kind.padEnd(16)} ${amount === null ? ''.padStart(16) : `${kind === 'refunded' ? '-' : ''}${money(amount)}`.padStart(16)} ${money(total).padStart(16)}  ${paymentId ?? code ?? ''}`,
  ]);
  const faults = [...own.wrong.map(({ code, message }) => `${message} (${code})`), ...(agrees ? [] : [`the issuer says ${money(said.spent)} were spent, the receipts say ${money(own.paid)}`])];
  return [
    table(rows), '', table([['paid', money(own.paid)], ['came back', money(own.refunded)], ['held for payments', money(said.reserved)], ['available', money(said.available)]]), '',
    faults.length === 0 ? paint('green', 'the chain has no gap, and the totals are those of the receipts') : paint('red', faults.join('\n')),
  ].join('\n');
}

export const carrierStatement = (group: Command): void => {
  calling(group.command('statement <CARRIER>'), 'either')
    .summary('everything that happened to a carrier, added up anew')
    .description("Reads a carrier's chain and receipts and computes its totals from them alone, with the published keys: what was paid and came back, where the chain has a gap.\nThat no newer leaf is kept back is what `ari audit --carrier` sees. Exit status 1 when anything is missing or the issuer says otherwise.")
    .requiredOption('--keys <FILE>', "the verifier's public keys (its /.well-known/jwks.json)")
    .option('--json', 'print one JSON object')
    .action(async (carrierId: string, options: AsEither & { keys: string }) => {
      const said = decode(answer, await apiFor(options).get(`/v1/payment/carriers/${encodeURIComponent(carrierId)}/statement`), 'statement');
      const own = statement({ carrierId, leaves: said.leaves.map(({ leaf }) => leaf), receipts: said.receipts, proof: said.proof }, parseTrust(readFile(options.keys)));
      const told = { said, own, agrees: said.spent === own.paid };
      show(asJson(told), options, () => asText(told));
      process.exitCode = told.agrees && own.wrong.length === 0 ? 0 : 1;
    });
};
