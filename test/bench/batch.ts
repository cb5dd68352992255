/** Payments per second on a slow TPM: one signature each, against one signature for all that wait. */
import { join } from 'node:path';
import { NV_Certify, PCR_Extend, connect } from '@ari-sidecar/tpm2';
import { startSwtpm } from '@ari-sidecar/tpm2/swtpm';
import { openProver } from '../../daemon/tpm/prover.js';
import type { ProofParts, Prover } from '../../daemon/tpm/types.js';
import { sha256 } from '../../src/base/bytes.js';
import { platformHash } from '../../src/objects/evidence.js';
import { PCRS, claimsFor, verifiedManifest } from '../support/device.js';
import { VERIFIER } from '../support/examples.js';
import { type Relay, startRelay } from '../support/tpm-relay.js';
import { perSecond, row, timed, type Row } from './harness.js';
import { inFolder } from './place.js';

const SIGNING_MS = 200;
const PAYMENTS = 40;
const silent = { info: () => undefined, warn: () => undefined };

/** A prover whose TPM can be made slow. `counted` answers how many signatures the TPM was asked for during some work. */
interface Bed { prover: Prover; parts: (n: number) => ProofParts; signing: (ms: number) => void; counted: (work: () => Promise<unknown>) => Promise<number> }

async function withBed<T>(stateDir: string, use: (bed: Bed) => Promise<T>): Promise<T> {
  const swtpm = await startSwtpm();
  const relay = await startRelay(swtpm.spec, join(swtpm.dir, 'relay'));
  const prover = await openProver({ channel: relay.spec, registerIndex: 0x01d10300, counterIndex: 0x01d10301, stateDir }, silent);
  try {
    return await use(await bedOf(prover, relay));
  } finally {
    await prover.close();
    await relay.close();
    await swtpm.stop();
  }
}

async function bedOf(prover: Prover, relay: Relay): Promise<Bed> {
  const tpm = await connect(relay.spec, { sweep: false });
  for (const pcr of PCRS) await tpm.run(PCR_Extend, { pcrHandle: pcr }, { digests: [{ hashAlg: 'sha256', digest: Buffer.alloc(32, pcr + 1) }] });
  await tpm.close();
  const platformSha256 = platformHash(await prover.platform({ nonce: sha256('nonce'), aud: VERIFIER, pcrs: PCRS, connection: true, ima: null }));
  const common = { aud: VERIFIER, mandateSha256: sha256('mandate'), closedSha256: sha256('closed'), agent: claimsFor(verifiedManifest()), jkt: sha256('key'), platformSha256, logFrom: 0 };
  return {
    prover,
    parts: (n) => ({ ...common, nonce: sha256(`nonce ${n}`), paymentSha256: sha256(`payment ${n}`) }),
    signing: (ms) => { relay.delays.set(NV_Certify.code, ms); },
    async counted(work) {
      relay.counts.clear();
      await work();
      return relay.counts.get(NV_Certify.code) ?? 0;
    },
  };
}

const numbers = Array.from({ length: PAYMENTS }, (_, n) => n);

/** Both ways with a TPM that takes this long to sign. */
async function compare({ prover, parts, signing, counted }: Bed, ms: number) {
  signing(ms);
  const together = (): Promise<unknown> => Promise.all(numbers.map((n) => prover.prove(parts(n))));
  const inTurn = async (): Promise<void> => { for (const n of numbers) await prover.prove(parts(n)); };
  const one = await timed(inTurn);
  let signatures = 0;
  const all = await timed(async () => { signatures = await counted(together); });
  return { batched: perSecond(all / PAYMENTS), alone: perSecond(one / PAYMENTS), signatures };
}

export const run = (): Promise<Row[]> => inFolder((dir) => withBed(dir, async (bed) => {
  await compare(bed, 0);
  const fast = await compare(bed, 0);
  const slow = await compare(bed, SIGNING_MS);
  const what = (result: typeof slow, tpm: string): string => `${PAYMENTS} payments at once, ${tpm}: ${result.signatures} signatures`;
  return [
    row(what(slow, `a TPM that signs in ${SIGNING_MS} ms`), slow.batched, '/s', { beside: { what: 'one after another, a signature each', value: slow.alone }, headline: true }),
    row(what(fast, 'a software TPM'), fast.batched, '/s', { beside: { what: 'one after another, a signature each', value: fast.alone } }),
  ];
}));
