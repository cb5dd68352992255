/**
 * A verifier process of its own, for races and crashes: reads calls of the store's verbs from stdin, one JSON line each, and answers each with one line.
 * Run as `node --import tsx child.ts`.
 */
import { createInterface } from 'node:readline';
import { openStore } from '../../../verifier/store/store.js';
import type { Store } from '../../../verifier/store/verbs.js';
import { fromLine, toLine } from './lines.js';
import { adjudicate, build, finish, ORIGIN, release } from './world.js';

/** One payment after the other from permit to receipt, for ever; says each step that the store has answered. */
async function workForEver(store: Store, device: string, say: (line: unknown) => void): Promise<never> {
  for (let i = 0; ; i++) {
    const payment = `${device}-${process.pid}-${i}`;
    await adjudicate(store, { payment, amount: 1n, device });
    say({ permitted: payment });
    await release(store, payment);
    say({ released: payment });
    await store.startRedemption({ jti: `tok_${payment}`, requestSha256: payment, amount: 10n, nowMs: 0 });
    await store.finishRedemption(finish(payment, { captured: 1n }));
    say({ settled: payment });
  }
}

const say = (line: unknown): void => { process.stdout.write(toLine(line)); };
let store: Store | null = null;

async function answer(verb: string, args: unknown[]): Promise<unknown> {
  if (verb === 'open') {
    await store?.close();
    store = await openStore(args[0] as { path: string });
    return null;
  }
  if (!store) throw new Error('open comes first');
  if (verb === 'adjudicate') return adjudicate(store, args[0] as Parameters<typeof adjudicate>[1]);
  if (verb === 'workForEver') return workForEver(store, args[0] as string, say);
  if (verb === 'sequence') return store.sequence(ORIGIN, 1000, build);
  return (store[verb as keyof Store] as (...given: unknown[]) => Promise<unknown>)(...args);
}

for await (const line of createInterface({ input: process.stdin })) {
  const { verb, args } = fromLine(line) as { verb: string; args: unknown[] };
  say(await answer(verb, args).then((result) => ({ result: result ?? null }), (error: { code?: string; message: string }) => ({ refused: error.code ?? error.message })));
}
