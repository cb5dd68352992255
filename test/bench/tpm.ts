/** TPM commands through the package, beside the same bytes over a bare socket, and beside the C stack, on one software TPM. */
import { execFile } from 'node:child_process';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Channel, GetRandom, Quote, Tpm, connect, hmac, openChannel, selectPcrs } from '@ari-sidecar/tpm2';
import { TestDevice } from '../support/device.js';
import { eachOf, median, ratioOf, row, type Row } from './harness.js';

/** A round of ESYS starts a Python: one in so many. */
const ROUNDS = { all: 40, esys: 4 };
const CALLS = { quote: 15, random: 60 };
const PCRS = selectPcrs('sha256', [0, 1, 2, 3, 4, 5, 6, 7]);
const QUOTED = { qualifyingData: Buffer.alloc(32), inScheme: { scheme: 'null' }, PCRselect: PCRS } as const;

type Command = 'quote' | 'random';
const COMMANDS: readonly Command[] = ['quote', 'random'];
/** Median milliseconds of a call, one for each round. */
type Rounds = Record<Command | 'hmacQuote', number[]>;
const rounds = (): Rounds => ({ quote: [], random: [], hmacQuote: [] });

/** The commands as the package sends them. A server takes one client at a time, so each round has a connection of its own. */
async function throughPackage({ swtpm: { spec }, key }: TestDevice, into: Rounds): Promise<void> {
  const tpm = await connect(spec);
  const random = (): Promise<unknown> => tpm.run(GetRandom, {}, { bytesRequested: 32 });
  const quote = (): Promise<unknown> => tpm.run(Quote, { signHandle: key }, QUOTED);
  const proven = { ...key, auth: hmac(key.auth.value) };
  const hmacQuote = (): Promise<unknown> => tpm.run(Quote, { signHandle: proven }, QUOTED);
  await Promise.all([random(), quote(), hmacQuote()]);
  into.quote.push(median(await eachOf(CALLS.quote, quote)));
  into.random.push(median(await eachOf(CALLS.random, random)));
  into.hmacQuote.push(median(await eachOf(CALLS.quote, hmacQuote)));
  await tpm.close();
}

/** The very bytes that the package sends. */
async function recorded({ swtpm: { spec }, key }: TestDevice): Promise<Record<Command, Uint8Array>> {
  const inner = await openChannel(spec);
  let last: Uint8Array = Buffer.alloc(0);
  const channel: Channel = { shared: false, sweepable: true, losses: 0, close: () => inner.close(), send: (command, deadline) => { last = Buffer.from(command); return inner.send(command, deadline); } };
  const tpm = new Tpm(channel);
  await tpm.run(Quote, { signHandle: key }, QUOTED);
  const quote = last;
  await tpm.run(GetRandom, {}, { bytesRequested: 32 });
  const random = last;
  await tpm.close();
  return { quote, random };
}

async function overSocket({ swtpm }: TestDevice, commands: Record<Command, Uint8Array>, into: Rounds): Promise<void> {
  const socket = net.connect({ path: swtpm.spec.slice('swtpm:unix:'.length) });
  let done: (() => void) | undefined;
  socket.on('data', () => done?.());
  for (const name of COMMANDS) {
    const roundTrip = (): Promise<void> => new Promise((resolve) => { done = resolve; socket.write(commands[name]); });
    await roundTrip();
    into[name].push(median(await eachOf(CALLS[name], roundTrip)));
  }
  await new Promise<void>((closed) => socket.once('close', () => closed()).destroy());
}

/** @returns false when tpm2-pytss is not installed */
async function throughEsys({ swtpm, key }: TestDevice, into: Rounds): Promise<boolean> {
  const script = fileURLToPath(new URL('esys.py', import.meta.url));
  const said = await promisify(execFile)('/usr/bin/python3', [script, swtpm.spec.slice('swtpm:unix:'.length), String(key.handle), Buffer.from(key.auth.value).toString('hex'), String(CALLS.quote)])
    .catch((error: { code?: unknown; stderr?: string }) => {
      if (error.code === 'ENOENT' || error.stderr?.includes('ModuleNotFoundError')) return null;
      throw error;
    });
  if (said === null) return false;
  const samples = JSON.parse(said.stdout) as Record<Command, number[]>;
  for (const name of COMMANDS) into[name].push(median(samples[name]));
  return true;
}

export async function run(): Promise<Row[]> {
  const device = await TestDevice.start();
  await device.tpm.close();
  try {
    const [ours, bare, esys] = [rounds(), rounds(), rounds()];
    const commands = await recorded(device);
    let installed = true;
    for (let round = 0; round < ROUNDS.all; round++) {
      if (round % 2 === 0) await throughPackage(device, ours);
      await overSocket(device, commands, bare);
      if (round % 2 === 1) await throughPackage(device, ours);
      if (round % ROUNDS.esys === 0) installed &&= await throughEsys(device, esys);
    }
    return rowsOf(ours, bare, installed ? esys : null);
  } finally {
    await device.stop();
  }
}

function rowsOf(ours: Rounds, bare: Rounds, esys: Rounds | null): Row[] {
  const socket = (name: Command): { what: string; value: number } => ({ what: 'the same bytes over a bare Node socket', value: median(bare[name]) });
  const stack = (name: Command): { what: string; value: number | null } => ({ what: 'tpm2-tss ESYS from Python', value: esys && median(esys[name]) });
    return [
    row('TPM2_Quote, P-256, 8 PCRs', median(ours.quote), 'ms', { beside: socket('quote'), ratio: ratioOf(ours.quote, bare.quote), headline: true }),
    row('TPM2_Quote, P-256, 8 PCRs', median(ours.quote), 'ms', { beside: stack('quote'), headline: true }),
    row('the same, authorised by HMAC as the sidecar does', median(ours.hmacQuote), 'ms', { beside: socket('quote'), ratio: ratioOf(ours.hmacQuote, bare.quote) }),
    row('TPM2_GetRandom, 32 bytes', median(ours.random), 'ms', { beside: socket('random'), ratio: ratioOf(ours.random, bare.random), headline: true }),
    row('TPM2_GetRandom, 32 bytes', median(ours.random), 'ms', { beside: stack('random') }),
  ];
}
