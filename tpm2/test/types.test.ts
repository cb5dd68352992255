import { expect, it } from 'vitest';
import { type Attest, type AttestOf, Quote, type Signature, type Tpm } from '../src/index.js';

// Checked by the compiler: each line below an expectation of an error must be one.
export function unionsAreNarrowed(attest: Attest, signature: Signature): unknown[] {
  const clock: bigint = attest.clockInfo.clock;
  // @ts-expect-error the digest of a quote is not there before the type was asked for
  const early = attest.attested.pcrDigest;
  const quote: AttestOf<'quote'> | null = attest.type === 'quote' ? attest : null;
  const digest: Buffer | undefined = quote?.attested.pcrDigest;
  // @ts-expect-error an RSA signature has no r
  const r = signature.sigAlg === 'rsassa' ? signature.signatureR : null;
  return [clock, early, digest, r];
}

export async function commandsAreTyped(tpm: Tpm): Promise<Buffer> {
  const params = { qualifyingData: new Uint8Array(32), inScheme: { scheme: 'null' }, PCRselect: [] } as const;
  const { quoted } = await tpm.run(Quote, { signHandle: 1 }, { ...params, PCRselect: [] });
  // @ts-expect-error Quote has no handle of that name
  await tpm.run(Quote, { keyHandle: 1 }, { ...params, PCRselect: [] });
  // @ts-expect-error a bank that does not exist
  await tpm.run(Quote, { signHandle: 1 }, { ...params, PCRselect: [{ hash: 'md5', pcrs: [] }] });
  return quoted;
}

it('the types are checked by the compiler', () => {
  expect([unionsAreNarrowed, commandsAreTyped]).toHaveLength(2);
});
