#!/usr/bin/env node
/**
 * A small agent that buys things: a plain Node program, nothing in it knows of TPMs or mandates.
 *
 *   node examples/shopper.mjs SOCKET '{"payee":{"id":"shop"},"amount":{"amount":19900,"currency":"CNY"},"order":{"ref":"A-1"},"key":"A-1"}'
 *   node examples/shopper.mjs SOCKET --serve < purchases.jsonl
 *
 * It prints one line of JSON for each purchase: the payment, or the error with its code. With `--serve` it takes one purchase per line of
 * standard input, until the input ends. `key` is the idempotency key, the order's `ref` when it is left out: the same key never pays twice.
 */
import { createInterface } from 'node:readline';
import { AriClient, AriError } from 'ari-sidecar';

const [socket, order] = process.argv.slice(2);
if (socket === undefined || order === undefined) {
  process.stderr.write('usage: shopper.mjs SOCKET PURCHASE|--serve\n');
  process.exit(2);
}
const ari = new AriClient({ socket });

/** JSON has no bigint: amounts are printed as integers. */
const line = (value) => `${JSON.stringify(value, (_, member) => (typeof member === 'bigint' ? Number(member) : member))}\n`;

async function buy(text) {
  try {
    const { key, ...purchase } = JSON.parse(text);
    const idempotencyKey = key ?? purchase.order?.ref;
    return { ok: true, payment: await ari.pay(purchase, { idempotencyKey }) };
  } catch (error) {
    if (error instanceof AriError) return { ok: false, code: error.code, message: error.message, payment: error.payment };
    return { ok: false, code: 'usage.wrong', message: error.message, payment: null };
  }
}

if (order === '--serve') {
  for await (const text of createInterface({ input: process.stdin })) process.stdout.write(line(await buy(text)));
} else {
  const result = await buy(order);
  process.stdout.write(line(result));
  process.exitCode = result.ok ? 0 : 1;
}
ari.close();
