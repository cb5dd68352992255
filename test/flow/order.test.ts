/** Payments and looks at the platform beside each other, on one TPM: what was signed first arrives first, so that a verifier never sees a device's clock fall. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Sidecar } from '../support/sidecar.js';

describe('a sidecar whose log grows while it pays', () => {
  let sidecar: Sidecar;
  beforeAll(async () => {
    sidecar = await Sidecar.start({ pcrs: [0, 7] }, []);
    await sidecar.authorise();
  });
  afterAll(() => sidecar.stop());

  it('attempts a payment once that is asked for twice at a time: who comes second hears what became of the first', async () => {
    const [first, second] = await Promise.all([sidecar.pay('twice'), sidecar.pay('twice')]);
    expect(second.paymentId).toBe(first.paymentId);
    expect(first).toMatchObject({ state: 'settled', attempt: 1 });
  });

  it('pays: no payment is refused because the platform was shown between its signature and its sending', async () => {
    let paying = true;
    const showing = (async () => {
      for (let n = 0; paying; n++) {
        await sidecar.prover.append('sidecar', { build: `build ${n}` });
        await sidecar.session.showLog();
      }
      return true;
    })();
    const payments = [];
    for (let i = 0; i < 8; i++) payments.push(...(await Promise.all(Array.from({ length: 5 }, () => sidecar.pay().catch((error: unknown) => error)))));
    paying = false;
    expect(await showing).toBe(true);
    expect(payments.map((payment) => (payment as { state?: string }).state ?? payment)).toEqual(payments.map(() => 'settled'));
  }, 60_000);
});
