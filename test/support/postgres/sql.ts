/** SQL below the verbs, answered before the call returns: a thread of its own waits for the server. */
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';

export type SqlRow = Record<string, string | bigint | null>;
/** `text` null ends the connection. */
export interface SqlCall { readonly url: string; readonly text: string | null }
export interface SqlAnswer { readonly rows?: SqlRow[]; readonly refused?: string }

/** Node gives a thread no loader for TypeScript: it asks for one itself. */
const BEGIN = `import('tsx/esm/api').then(({ tsImport }) => { const { file } = require('node:worker_threads').workerData; return tsImport(file, file); })`;

export class SqlThread {
  private readonly done = new Int32Array(new SharedArrayBuffer(4));
  private readonly channel = new MessageChannel();
  private readonly worker: Worker;

  constructor() {
    const port = this.channel.port2;
    this.worker = new Worker(BEGIN, { eval: true, workerData: { done: this.done, port, file: new URL('./thread.ts', import.meta.url).href }, transferList: [port] });
  }

  run(url: string, text: string | null): SqlRow[] {
    Atomics.store(this.done, 0, 0);
    this.channel.port1.postMessage({ url, text } satisfies SqlCall);
    Atomics.wait(this.done, 0, 0, 30_000);
    const answer = receiveMessageOnPort(this.channel.port1)?.message as SqlAnswer | undefined;
    if (answer?.rows === undefined) throw new Error(answer?.refused ?? `no answer to ${text}`);
    return answer.rows;
  }

  async close(): Promise<void> {
    this.channel.port1.close();
    await this.worker.terminate();
  }
}
