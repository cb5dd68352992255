/**
 * A payment service provider as a process of its own, for tests. It keeps its book in a file, synced before it answers, so that it may be killed at any
 * time. Started as `node --import tsx server.ts PORT BOOK KEYS`; a line on standard input tells it how to treat the next order.
 */
import { appendFileSync, existsSync, fsyncSync, openSync, readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { signerFromJwk, verifyKey } from '../../../src/base/jws.js';
import { open, seal, tokenHash } from '../../../src/objects/signed.js';
import { kidOf } from '../../../verifier/keys.js';
import { PSP_ANSWER, PSP_MEDIA_TYPE, PSP_ORDER, type PspAnswer, type PspOrder } from '../../../verifier/psp/messages.js';

/**
 * `lose`: the money moves, the answer does not come. `die_before`, `die_after`: it ends before or after the money moved, without an answer. `kill_caller`:
 * the money moves and the caller, whose pid follows, is killed. The others are answers of somebody else.
 */
export type Trick = 'honest' | 'decline' | 'delay' | 'lose' | 'twice' | 'die_before' | 'die_after' | 'kill_caller' | 'error' | 'garbage' | 'forged' | 'stale' | 'huge' | 'redirect';

interface Entry { id: string; kind: string; outcome: 'settled' | 'declined'; amount: string; account: string }

const [port = '', bookFile = '', keysFile = ''] = process.argv.slice(2);
const keys = JSON.parse(readFileSync(keysFile, 'utf8')) as { own: Parameters<typeof signerFromJwk>[0]; forger: Parameters<typeof signerFromJwk>[0]; caller: Parameters<typeof verifyKey>[0] };
const own = signerFromJwk(keys.own, kidOf('settlement', keys.own));
const forger = signerFromJwk(keys.forger, own.kid);
const caller = verifyKey(keys.caller);
const book = new Map<string, Entry>(existsSync(bookFile) ? readFileSync(bookFile, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as Entry).map((entry) => [entry.id, entry]) : []);
const disk = openSync(bookFile, 'a');
let trick: { name: Trick; detail: string } = { name: 'honest', detail: '' };
let lastAnswer = '';

function enter(entry: Entry): Entry {
  appendFileSync(disk, `${JSON.stringify(entry)}\n`);
  fsyncSync(disk);
  book.set(entry.id, entry);
  return entry;
}

/** Once for an id: what is in the book stays as it is, also what was only asked for. */
function treat({ ask, kind, id, amount, account }: PspOrder, declines: boolean): Entry {
  const outcome = ask === 'pay' && !declines ? 'settled' : 'declined';
  return book.get(id) ?? enter({ id, kind, outcome, amount: String(amount.amount), account });
}

const answerTo = (token: string, { id, outcome }: Entry, signer = own): string => {
  const value: PspAnswer = { iat: Math.floor(Date.now() / 1000), orderSha256: tokenHash(token), outcome, reference: outcome === 'settled' ? `psp-${id}` : null };
  return seal(PSP_ANSWER, value, signer);
};

async function body(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  return Buffer.concat(parts).toString();
}

async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const token = await body(request);
  const order = open(PSP_ORDER, token, () => caller).value;
  if (order.exp * 1000 <= Date.now()) throw new Error('the order is past its life');
  const { name, detail } = trick;
  trick = { name: 'honest', detail: '' };
  if (name === 'die_before') process.exit(1);
  if (name === 'delay') await sleep(Number(detail));
  const entry = treat(order, name === 'decline');
  if (name === 'die_after') process.exit(1);
  if (name === 'kill_caller') process.kill(Number(detail), 'SIGKILL');
  if (name === 'lose') return void request.socket.destroy();
  const honest = answerTo(token, entry);
  const earlier = lastAnswer;
  lastAnswer = honest;
  const send = (text: string, status = 200, headers = {}) => response.writeHead(status, { 'content-type': PSP_MEDIA_TYPE, ...headers }).end(text);
  switch (name) {
    case 'error': return void send('', 503);
    case 'garbage': return void send('settled');
    case 'forged': return void send(answerTo(token, { ...entry, outcome: 'settled' }, forger));
    case 'stale': return void send(earlier);
    case 'huge': return void send('x'.repeat(1_000_000));
    case 'redirect': return void send('', 307, { location: `http://127.0.0.1:${port}/v1/orders` });
    case 'twice': {
      const raw = `HTTP/1.1 200 OK\r\ncontent-type: ${PSP_MEDIA_TYPE}\r\ncontent-length: ${honest.length}\r\n\r\n${honest}`;
      return void request.socket.end(raw + raw);
    }
    default: return void send(honest);
  }
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const [name = 'honest', detail = ''] = line.split(' ');
  trick = { name: name as Trick, detail };
  process.stdout.write(`${name}\n`);
});
createServer((request, response) => void serve(request, response).catch((error: unknown) => response.writeHead(400).end(String(error))))
  .listen(Number(port), '127.0.0.1', () => process.stdout.write('ready\n'));
