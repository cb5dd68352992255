/**
 * A machine's TPM as several processes see it: a socket that takes any number of clients and passes their commands to a software TPM one at a time.
 * What is passed is counted by command code, and may be held up, as a slow TPM would.
 */
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Tpm, connect } from '@ari-sidecar/tpm2';
import { exchange } from '../../tpm2/test/support/swtpm.js';

export interface Relay {
  /** What connect() takes. */
  readonly spec: string;
  /** Commands passed so far, by command code. */
  readonly counts: Map<number, number>;
  /** Milliseconds that each command of this code takes longer. */
  readonly delays: Map<number, number>;
  /** Called before a command is passed on: an adversary's moment. When it throws, the command is lost and the client's connection with it. */
  before: ((code: number) => Promise<void>) | null;
  /** Called before the answer is passed back. When it throws, the command was carried out and its answer is lost. */
  after: ((code: number) => Promise<void>) | null;
  /** Given every command and every answer: somebody who listens on the bus. */
  overhear: ((bytes: Buffer) => void) | null;
  /** Another process's conversation in that moment, ahead of all that waits. */
  intrude<T>(act: (tpm: Tpm) => Promise<T>): Promise<T>;
  close(): Promise<void>;
}

export async function startRelay(upstream: string, path: string): Promise<Relay> {
  let last: Promise<unknown> = Promise.resolve();
  const clients = new Set<net.Socket>();
  const relay: Relay = {
    spec: `swtpm:unix:${path}`, counts: new Map(), delays: new Map(), before: null, after: null, overhear: null,
    async intrude(act) {
      const tpm = await connect(upstream, { sweep: false });
      return act(tpm).finally(() => tpm.close());
    },
    async close() {
      for (const client of clients) client.destroy();
      await new Promise((done) => server.close(done));
    },
  };
  const pass = async (client: net.Socket, command: Buffer): Promise<void> => {
    const code = command.readUInt32BE(6);
    await relay.before?.(code);
    relay.counts.set(code, (relay.counts.get(code) ?? 0) + 1);
    const delay = relay.delays.get(code);
    if (delay !== undefined) await sleep(delay);
    relay.overhear?.(command);
    const answer = await exchange(upstream, command);
    relay.overhear?.(answer);
    await relay.after?.(code);
    client.write(answer);
  };
  const server = net.createServer((client) => {
    clients.add(client);
    let pending: Buffer = Buffer.alloc(0);
    client.on('error', () => client.destroy());
    client.on('close', () => clients.delete(client));
    client.on('data', (part) => {
      pending = Buffer.concat([pending, part]);
      while (pending.length >= 10 && pending.length >= pending.readUInt32BE(2)) {
        const command = pending.subarray(0, pending.readUInt32BE(2));
        pending = pending.subarray(command.length);
        last = last.then(() => pass(client, command)).catch(() => client.destroy());
      }
    });
  });
  await new Promise<void>((done) => server.listen(path, done));
  return relay;
}
