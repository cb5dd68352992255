/**
 * A small agent that buys in shops that speak UCP, ACP or x402. No dependencies, and nothing in it knows of TPMs, mandates or limits.
 *
 *   node agent.mjs SOCKET        takes one purchase per line, {"protocol":"ucp","host":"shop.example","item":"tulips","key":"A-1","task":"birthday"}, prints one answer per line
 *
 * The sidecar reads the shop's terms itself, has them decided, and pays. The same key never pays twice.
 */
import { createInterface } from 'node:readline';
import { buy as acp } from './acp.mjs';
import { through } from './sidecar.mjs';
import { buy as ucp } from './ucp.mjs';
import { buy as x402 } from './x402.mjs';

const BUYERS = { ucp, ap2: ucp, acp, x402 };
const [, , socket] = process.argv;
if (socket === undefined) process.exit(2);

for await (const line of createInterface({ input: process.stdin })) {
  const { protocol, host, ...purchase } = JSON.parse(line);
  const { status, headers, body } = await BUYERS[protocol](through(socket, `/x/${protocol}/${host}`), purchase);
  process.stdout.write(`${JSON.stringify({ status, body, payment_id: headers['ari-payment-id'] ?? null, problem: headers['ari-problem'] ? JSON.parse(headers['ari-problem']) : null })}\n`);
}
