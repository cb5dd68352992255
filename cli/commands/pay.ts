import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { AriClient, AriError } from '../../client/index.js';
import { paymentView, type PaymentView } from '../../src/agentapi.js';
import { encode } from '../../src/base/shape.js';
import { format } from '../../src/money.js';
import { paint, show, table } from '../output.js';
import { minorUnits, socketOption } from './options.js';

interface PayOptions { socket: string; payee: string; origin?: string; amount: string; currency: string; order: string; scenario?: string; task?: string; mandate?: string; idempotencyKey?: string; json?: boolean }

const colour = { settled: 'green', denied: 'red', failed: 'red', expired: 'red' } as const;

export function payment(view: PaymentView): string {
  const word = paint(colour[view.state as keyof typeof colour] ?? 'yellow', view.state);
  return table([
    ['payment', view.paymentId],
    ['state', `${word}${view.code ? `  ${view.code}: ${view.message ?? ''}` : ''}`],
    ['amount', `${format(view.amount)} to ${view.payee.id}`],
    ['proven', `tier ${view.tier ?? '-'}, attempt ${view.attempt}`],
    ['took', Object.entries(view.ms).map(([stage, ms]) => `${stage} ${ms.toFixed(1)} ms`).join(', ')],
  ]);
}

export const pay = (ari: Command): void => {
  ari.command('pay')
    .summary('ask the sidecar for a payment, as an agent does')
    .description('Puts one payment before the sidecar. The calling process is measured like any agent, so this succeeds only where it is one.\nRepeat with the same --idempotency-key to ask again; the same key never pays twice.')
    .addOption(socketOption())
    .requiredOption('--payee <ID>', 'who is paid')
    .option('--origin <URL>', "the payee's origin")
    .requiredOption('--amount <N>', 'integer of minor units: 199.00 CNY is 19900')
    .requiredOption('--currency <CODE>', 'ISO 4217')
    .requiredOption('--order <REF>', "the payee's order number")
    .option('--scenario <NAME>', 'what is bought')
    .option('--task <ID>', 'the task of the mandate')
    .option('--mandate <ID>', 'the mandate to use')
    .option('--idempotency-key <KEY>', 'one per payment (default: a new one)')
    .option('--json', 'print one JSON object')
    .action(async (options: PayOptions) => {
      const ask = new AriClient({ socket: options.socket }).pay({
        payee: { id: options.payee, origin: options.origin ?? null, name: null },
        amount: { amount: minorUnits(options.amount), currency: options.currency },
        scenario: options.scenario ?? null, order: { ref: options.order, terms: null }, taskId: options.task ?? null, mandateId: options.mandate ?? null,
      }, { idempotencyKey: options.idempotencyKey ?? randomUUID() });
      const view = await ask.catch((error: unknown) => { if (error instanceof AriError && error.payment) return error.payment; throw error; });
      show(encode(paymentView, view), options, () => payment(view));
      process.exitCode = view.state === 'denied' || view.state === 'failed' || view.state === 'expired' ? 1 : 0;
    });
};
