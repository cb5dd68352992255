import { createHash } from 'node:crypto';
import { connect, PCR_Extend } from '@ari-sidecar/tpm2';

/** What a firmware does at boot and a bare software TPM lacks: it measures into PCR 0 to 7. A bank that nothing measures into is refused. */
export async function bootFirmware(spec: string): Promise<void> {
  const tpm = await connect(spec);
  for (let pcr = 0; pcr < 8; pcr++) {
    const digest = createHash('sha256').update(`demo firmware ${pcr}`).digest();
    await tpm.run(PCR_Extend, { pcrHandle: pcr }, { digests: [{ hashAlg: 'sha256', digest }] });
  }
  await tpm.close();
}
