/** The sidecar ends in its time, with real processes: whatever verifier and TPM do, and whatever is under way; a payment goes on from the journal. */
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { Bed, type Kind, PYTHON, PYTHON_AGENT } from '../attack/bed.js';

const ASKER: Kind = { ...PYTHON_AGENT, name: 'asker', make: async (root) => { await cp(join(import.meta.dirname, 'agents/asker.py'), join(root, 'agent.py')); return PYTHON !== null; } };

describe('a sidecar that is told to end', () => {
  let bed: Bed;
  beforeAll(async () => { bed = await Bed.open([ASKER]); }, 60_000);
  afterEach(() => bed.endAgents());
  afterAll(() => bed.close());

  const freeze = (): void => { process.kill(bed.stage.verifier.pid, 'SIGSTOP'); };
  const thaw = (): void => { process.kill(bed.stage.verifier.pid, 'SIGCONT'); };
  const stop = async (): Promise<number> => {
    const from = performance.now();
    await bed.stage.sidecar.stop();
    return performance.now() - from;
  };

  it('while its verifier hangs over a payment answers link.offline, and the payment is made once when they are back', async () => {
    const agent = await bed.start(ASKER);
    expect(await agent.ask('listen')).toBe('listening');
    expect(await bed.pay(agent)).toBe('settled');
    const key = bed.key();
    freeze();
    try {
      agent.say(`pay ${key}`);
      await wait(200);
      expect(await stop()).toBeLessThan(7_000);
      expect(await agent.line()).toBe('link.offline');
    } finally {
      thaw();
    }
    await bed.stage.restartSidecar();
    await expect.poll(() => agent.ask(`pay ${key}`), { timeout: 10_000 }).toBe('settled');
  }, 30_000);

  it('is gone at a second signal, whatever is under way', async () => {
    const agent = await bed.start(ASKER);
    expect(await bed.pay(agent)).toBe('settled');
    freeze();
    try {
      agent.say(`pay ${bed.key()}`);
      await wait(200);
      process.kill(bed.stage.sidecar.pid, 'SIGTERM');
      await wait(200);
      process.kill(bed.stage.sidecar.pid, 0);
      process.kill(bed.stage.sidecar.pid, 'SIGINT');
      expect(await stop()).toBeLessThan(500);
    } finally {
      thaw();
    }
    await bed.stage.restartSidecar();
  }, 30_000);
});
