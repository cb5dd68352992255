/**
 * A small agent that orders flowers. It has no dependencies, so its manifest is these few files and the interpreter.
 *
 *   node agent.mjs SOCKET        takes one order per line of standard input (JSON), prints one answer per line
 *
 * It knows nothing of TPMs, mandates or limits: it asks the sidecar to pay, and takes no for an answer.
 */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { ask } from './ask.mjs';

const socket = process.argv[2];
const prompt = readFileSync(new URL('prompt.md', import.meta.url), 'utf8');
if (socket === undefined || prompt.length === 0) process.exit(2);

for await (const line of createInterface({ input: process.stdin })) {
  const { key, ...order } = JSON.parse(line);
  const { status, body } = await ask(socket, 'POST', '/v1/payments', order, { 'idempotency-key': key });
  const bundle = body.payment_id ?? body.payment?.payment_id;
  process.stdout.write(`${JSON.stringify({ status, body, bundle: bundle ? (await ask(socket, 'GET', `/v1/payments/${bundle}/bundle`)).text : null })}\n`);
}
