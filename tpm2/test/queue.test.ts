import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Queue } from '../src/index.js';

describe('the queue', () => {
  it('runs one at a time, the highest priority first, equal ones in the order they came', async () => {
    const queue = new Queue();
    const order: string[] = [];
    let running = 0;
    const work = (name: string) => async (): Promise<void> => {
      expect(++running).toBe(1);
      await sleep(1);
      order.push(name);
      running--;
    };
    await Promise.all([
      queue.run(work('first'), { deadline: 1000 }), queue.run(work('low'), { priority: -1, deadline: 1000 }), queue.run(work('a'), { deadline: 1000 }),
      queue.run(work('high'), { priority: 9, deadline: 1000 }), queue.run(work('b'), { deadline: 1000 }), queue.run(work('higher'), { priority: Infinity, deadline: 1000 }),
    ]);
    expect(order).toEqual(['first', 'higher', 'high', 'a', 'b', 'low']);
  });

  it('gives up what waited too long as busy, and never starts it', async () => {
    const queue = new Queue();
    let started = false;
    const long = queue.run(() => sleep(60), { deadline: 1000 });
    const late = queue.run(async () => { started = true; }, { deadline: 10 });
    await expect(late).rejects.toMatchObject({ name: 'ChannelError', code: 'busy' });
    await long;
    expect(started).toBe(false);
    expect(queue.length).toBe(0);
    expect(await queue.run(async (left) => left, { deadline: 50 })).toBe(50);
  });

  it('tells the work how much of its deadline the waiting left', async () => {
    const queue = new Queue();
    void queue.run(() => sleep(30), { deadline: 1000 });
    expect(await queue.run(async (left) => left, { deadline: 1000 })).toBeLessThan(990);
  });

  it('goes on after a failure', async () => {
    const queue = new Queue();
    const failing = queue.run(() => Promise.reject(new Error('no')), { deadline: 10 });
    const next = queue.run(async () => 1, { deadline: 1000 });
    await expect(failing).rejects.toThrow('no');
    expect(await next).toBe(1);
  });
});
