import { EK_CERTIFICATE_INDEX, NV_UndefineSpace, RH } from '@ari-sidecar/tpm2';
import { X509Certificate, randomBytes } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { challengeFor, checkAnswer, checkEnrolment, onlyRoots, pinRoots } from '../../../attest/enrol/index.js';
import { storeNv } from '../../support/cloud.js';
import { certificateTime } from '../../support/device.js';
import { codeOf } from '../../support/fault.js';
import { type Bed, nonce, startBed } from './bed.js';

let bed: Bed;
afterEach(() => bed.stop());

/** Stores bytes as a maker would: readable by everybody, from one index on to the next. */
const store = (parts: readonly Buffer[]): Promise<void> => bed.stranger(async (tpm) => {
  for (const [i, data] of parts.entries()) await storeNv(tpm, 0x01c00100 + i, data, true);
});

/** What the verifier knows of the device's certificates is the root. */
const rootOnly = () => onlyRoots(pinRoots(bed.swtpm.caRootPem, { simulated: true }));

async function refusal(): Promise<string | null> {
  const prover = await bed.open();
  const begin = prover.enrolBegin('code');
  await prover.close();
  return codeOf(() => checkEnrolment(begin, rootOnly(), certificateTime()));
}

describe('a chain of endorsement certificates in NV memory', () => {
  it.each([['ekP256', 'ecc', 'sha256'], ['ekRsa2048', 'rsa', 'sha256'], ['ekP384', 'ecc', 'sha384']] as const)('is sent with the certificate of an %s: the verifier needs the root alone, and the TPM opens its challenge', async (kind, type, nameAlg) => {
    bed = await startBed({ ecCertificate: kind === 'ekP256' });
    if (kind === 'ekP384') await bed.stranger((tpm) => tpm.run(NV_UndefineSpace, { authHandle: RH.PLATFORM, nvIndex: EK_CERTIFICATE_INDEX.ekRsa2048 }, {}));
    expect(await refusal()).toBe('enrol.ek_chain');
    const issuer = new X509Certificate(bed.swtpm.caIssuerPem).raw;
    await store([issuer.subarray(0, 300), Buffer.concat([issuer.subarray(300), Buffer.alloc(40, 0xff)])]);
    const prover = await bed.open();
    const facts = checkEnrolment(prover.enrolBegin('code'), rootOnly(), certificateTime());
    expect(facts).toMatchObject({ ekPublic: { type, nameAlg }, tierMax: 'T3' });
    const { challenge, expected } = challengeFor(facts, { secret: randomBytes(32), sessionId: 'session', nonce: nonce() });
    const { answer } = await prover.enrolAnswer(challenge);
    expect(codeOf(() => checkAnswer(expected, answer))).toBeNull();
  });

  it('that is none is not sent, and the device enrols as if there were nothing', async () => {
    bed = await startBed();
    await store([Buffer.alloc(64, 0x30)]);
    expect((await bed.open()).enrolBegin('code').ekChain).toEqual([]);
  });
});
