/** The door: what it costs to know by the kernel who asks, beside a bare node:http server on a unix socket. */
import { createServer } from 'node:http';
import { join } from 'node:path';
import { AriClient } from '../../client/index.js';
import { Launches } from '../../daemon/launch/launches.js';
import { openDoor } from '../../daemon/door/door.js';
import { statusView } from '../../src/agentapi.js';
import { stringify } from '../../src/base/shape.js';
import { recordingApi, silentLog } from '../daemon/support/api.js';
import { interleave, median, ratioOf, row, type Row } from './harness.js';
import { inFolder } from './place.js';

/** Asks for the status once on a connection of its own. */
async function askAnew(socket: string): Promise<void> {
  const client = new AriClient({ socket });
  await client.status();
  client.close();
}

export const run = (): Promise<Row[]> => inFolder(async (dir) => {
  const [socket, bareSocket] = [join(dir, 'run', 'agent.sock'), join(dir, 'bare.sock')];
  const { api } = recordingApi();
  const door = await openDoor({ socket, agents: [], launches: new Launches(), api, limits: { bodyBytes: 4096, paymentsPerMinute: 600 }, log: silentLog });
  const answer = stringify(statusView, api.status());
  const bare = createServer((_, response) => { response.setHeader('content-type', 'application/json').end(answer); });
  await new Promise<void>((done) => bare.listen(bareSocket, done));
  const [atDoor, atBare] = [new AriClient({ socket }), new AriClient({ socket: bareSocket })];
  try {
    const samples = await interleave({ door: () => atDoor.status(), bare: () => atBare.status(), doorNew: () => askAnew(socket), bareNew: () => askAnew(bareSocket) }, { rounds: 30, calls: 10 });
    const line = (what: string, these: readonly number[], those: readonly number[]): Row =>
      row(what, median(these), 'ms', { beside: { what: 'the same answer of a bare node:http server', value: median(those) }, ratio: ratioOf(these, those) });
    return [line('a request on a kept connection', samples.door, samples.bare), line('a connection, its process identified, and a request', samples.doorNew, samples.bareNew)];
  } finally {
    for (const client of [atDoor, atBare]) client.close();
    await door.close();
    await new Promise((done) => bare.close(done));
  }
});
