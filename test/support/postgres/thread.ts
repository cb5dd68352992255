import { type MessagePort, workerData } from 'node:worker_threads';
import pg from 'pg';
import type { SqlAnswer, SqlCall, SqlRow } from './sql.js';

const { done, port } = workerData as { done: Int32Array; port: MessagePort };
/** int8, int4, and the numeric that a sum of int8 is. */
for (const oid of [20, 23, 1700]) pg.types.setTypeParser(oid, BigInt);
const clients = new Map<string, pg.Client>();

async function clientOf(url: string): Promise<pg.Client> {
  const known = clients.get(url);
  if (known) return known;
  const client = new pg.Client({ connectionString: url });
  client.on('error', () => clients.delete(url));
  await client.connect();
  clients.set(url, client);
  return client;
}

async function run({ url, text }: SqlCall): Promise<SqlRow[]> {
  if (text !== null) return (await (await clientOf(url)).query<SqlRow>(text)).rows;
  await clients.get(url)?.end();
  clients.delete(url);
  return [];
}

port.on('message', (call: SqlCall) => {
  void run(call).then((rows): SqlAnswer => ({ rows }), (error: Error): SqlAnswer => ({ refused: error.message })).then((answer) => {
    port.postMessage(answer);
    Atomics.store(done, 0, 1);
    Atomics.notify(done, 0);
  });
});
