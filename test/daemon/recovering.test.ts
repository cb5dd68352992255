import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { keepRecovering } from '../../daemon/recovering.js';
import { silentLog } from './support/api.js';

describe('a TPM that is away', () => {
  const pauses = { first: 5, most: 20 };

  it('is asked again until it is back, and that is told once', async () => {
    const prover = { tier: 'T0' as 'T0' | 'T2', asked: 0, recover: () => { prover.asked++; if (prover.asked === 3) prover.tier = 'T2'; return Promise.resolve(prover.asked === 3); } };
    let back = 0;
    const recovering = keepRecovering(prover, () => { back++; }, silentLog, pauses);
    await expect.poll(() => back).toBe(1);
    await wait(60);
    recovering.stop();
    expect([prover.asked, back]).toEqual([3, 1]);
  });

  it('is not asked again after the sidecar was told to end, not even when it was being asked just then', async () => {
    let answer = (_back: boolean): void => undefined;
    const prover = { tier: 'T0' as const, asked: 0, recover: () => { prover.asked++; return new Promise<boolean>((resolve) => { answer = resolve; }); } };
    let back = 0;
    const recovering = keepRecovering(prover, () => { back++; }, silentLog, pauses);
    await expect.poll(() => prover.asked).toBe(1);
    recovering.stop();
    answer(true);
    await wait(60);
    expect([prover.asked, back]).toEqual([1, 0]);
  });
});
