/** A store whose process is killed at one verb: before it is carried out, or after its commit and before its answer. From then on nothing is answered. */
import type { Store } from '../../../verifier/store/verbs.js';

export interface Death { verb: keyof Store; when: 'before' | 'after' }

export function dyingStore(store: Store, death: Death): Store & { arm(): void; readonly dead: boolean } {
  let armed = false;
  let dead = false;
  const killed = new Error('the process was killed');
  const wrap = (verb: keyof Store) => async (...args: unknown[]) => {
    const act = store[verb] as (...args: unknown[]) => Promise<unknown>;
    if (verb === 'close') return act(...args);
    if (dead) throw killed;
    if (!armed || verb !== death.verb) return act(...args);
    if (death.when === 'after') await act(...args);
    dead = true;
    throw killed;
  };
  const verbs = Object.fromEntries((Object.keys(store) as (keyof Store)[]).map((verb) => [verb, wrap(verb)])) as unknown as Store;
  return Object.defineProperty(Object.assign(verbs, { arm: () => { armed = true; } }), 'dead', { get: () => dead }) as never;
}
