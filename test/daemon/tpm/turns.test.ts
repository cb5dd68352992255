import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { inTurn, together } from '../../../daemon/tpm/turns.js';

describe('work in turn', () => {
  it('does not overlap and keeps its order, also after one that failed', async () => {
    const turn = inTurn();
    const seen: string[] = [];
    const step = (name: string) => async (): Promise<string> => { seen.push(`${name}+`); await sleep(1); seen.push(`${name}-`); if (name === 'b') throw new Error('b'); return name; };
    const ends = await Promise.allSettled(['a', 'b', 'c'].map((name) => turn(step(name))));
    expect(seen).toEqual(['a+', 'a-', 'b+', 'b-', 'c+', 'c-']);
    expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });
});

describe('work together', () => {
  const batches: number[][] = [];
  const share = together(async (items: number[]) => { batches.push(items); await sleep(2); if (items.includes(13)) throw new Error('13'); return items.map((n) => n * 2); }, 3);

  it('begins a lone item at once and gathers what comes meanwhile, up to the most', async () => {
    batches.length = 0;
    expect(await Promise.all([1, 2, 3, 4, 5].map(share))).toEqual([2, 4, 6, 8, 10]);
    expect(batches).toEqual([[1], [2, 3, 4], [5]]);
  });

  it('fails all that shared and goes on with the next', async () => {
    const ends = await Promise.allSettled([1, 13, 3, 4, 5].map(share));
    expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'rejected', 'fulfilled']);
    expect(await share(6)).toBe(12);
  });
});
