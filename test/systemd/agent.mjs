/** Pays when it starts, on the connection that it was handed, and again for each line of input, on one of its own. `exit N` ends it. */
import { request } from 'node:http';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';

const order = { payee: { id: 'florist', origin: 'https://flowers.example' }, amount: { amount: 100, currency: 'CNY' }, order: { ref: 'A' }, task_id: 'birthday', scenario: 'gift.flowers' };
const own = { socketPath: '/run/ari/agent.sock' };
const handed = { createConnection: () => new Socket({ fd: Number(process.env.ARI_SOCKET_FD) }) };

const ask = (way, method, path, body = '', headers = {}) => new Promise((done, failed) => {
  request({ ...way, method, path, headers: { 'content-length': Buffer.byteLength(body), ...headers } }, (response) => {
    let text = '';
    response.on('data', (part) => { text += part; }).on('end', () => done(text));
  }).on('error', failed).end(body);
});

async function pay(way, key) {
  const said = JSON.parse(await ask(way, 'POST', '/v1/payments', JSON.stringify(order), { 'idempotency-key': key }));
  const bundle = said.state === 'settled' ? await ask(own, 'GET', `/v1/payments/${said.payment_id}/bundle`) : null;
  console.log(JSON.stringify({ state: said.state ?? said.code, detail: said.detail, bundle: process.argv[2] === 'bundles' ? bundle : null }));
}

const started = Date.now();
await pay(handed, `${process.pid}-${started}`);
setInterval(() => undefined, 60_000);
let orders = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const [word, status] = line.split(' ');
  if (word === 'exit') process.exit(Number(status));
  await pay(own, `${process.pid}-${started}-${++orders}`);
}
