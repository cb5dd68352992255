/** Ways of waiting: in turn, in turn for each name, or together. */

/** Runs pieces of work one after another, in the order they came; one that fails does not stop the next. */
export function inTurn(): <T>(work: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = last.then(work);
    last = turn.catch(() => undefined);
    return turn;
  };
}

/** Runs pieces of work under one name one after another, as {@link inTurn}; those under different names go beside each other. */
export function inTurnFor(): <T>(name: string, work: () => Promise<T>) => Promise<T> {
  const last = new Map<string, Promise<unknown>>();
  return (name, work) => {
    const turn = (last.get(name) ?? Promise.resolve()).then(work);
    const over = turn.catch(() => undefined).finally(() => { if (last.get(name) === over) last.delete(name); });
    last.set(name, over);
    return turn;
  };
}

interface Waiting<In, Out> { item: In; done: (out: Out) => void; failed: (error: unknown) => void }

/**
 * Shares one piece of work among all that arrived while the one before was going on. There is no timer: a lone item is worked on at once.
 * @param work answers one output per input, in order; when it throws, all of that share fail alike
 */
export function together<In, Out>(work: (items: In[]) => Promise<Out[]>, most: number): (item: In) => Promise<Out> {
  const waiting: Waiting<In, Out>[] = [];
  let working = false;
  async function share(): Promise<void> {
    working = true;
    while (waiting.length > 0) {
      const all = waiting.splice(0, most);
      try {
        const outputs = await work(all.map(({ item }) => item));
        all.forEach(({ done }, i) => done(outputs[i]!));
      } catch (error) {
        for (const { failed } of all) failed(error);
      }
    }
    working = false;
  }
  return (item) => new Promise((done, failed) => {
    waiting.push({ item, done, failed });
    if (!working) void share();
  });
}
