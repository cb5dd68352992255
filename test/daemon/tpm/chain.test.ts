import { NV_DefineSpace, NV_Write, RH, nvAttributes } from '@ari-sidecar/tpm2';
import { X509Certificate } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { checkEnrolment, onlyRoots, pinRoots } from '../../../attest/enrol/index.js';
import { certificateTime } from '../../support/device.js';
import { codeOf } from '../../support/fault.js';
import { type Bed, startBed } from './bed.js';

const NONE = Buffer.alloc(0);

/** Stores bytes as a maker would: readable by everybody, from one index on to the next. */
const store = (bed: Bed, first: number, parts: readonly Buffer[]): Promise<void> => bed.stranger(async (tpm) => {
  for (const [i, data] of parts.entries()) {
    const nvIndex = first + i;
    const publicInfo = { nvIndex, nameAlg: 'sha256' as const, attributes: nvAttributes('ordinary', 'authRead', 'ownerRead', 'ownerWrite', 'noDA'), authPolicy: NONE, dataSize: data.length };
    await tpm.run(NV_DefineSpace, { authHandle: RH.OWNER }, { auth: NONE, publicInfo });
    for (let offset = 0; offset < data.length; offset += 256) await tpm.run(NV_Write, { authHandle: RH.OWNER, nvIndex: await tpm.entity(nvIndex) }, { data: data.subarray(offset, offset + 256), offset });
  }
});

describe('a chain of endorsement certificates in NV memory', () => {
  let bed: Bed;
  beforeEach(async () => { bed = await startBed(); });
  afterEach(() => bed.stop());

  const enrolled = async (): Promise<string | null> => {
    const prover = await bed.open();
    const begin = prover.enrolBegin('code');
    await prover.close();
    return codeOf(() => checkEnrolment(begin, onlyRoots(pinRoots(bed.swtpm.caRootPem, { simulated: true })), certificateTime()));
  };

  it('is sent with the certificate: the verifier needs the root alone, however the chain lies in its indices', async () => {
    expect(await enrolled()).toBe('enrol.ek_chain');
    const issuer = new X509Certificate(bed.swtpm.caIssuerPem).raw;
    await store(bed, 0x01c00100, [issuer.subarray(0, 300), Buffer.concat([issuer.subarray(300), Buffer.alloc(40, 0xff)])]);
    expect(await enrolled()).toBeNull();
  });

  it('that is none is not sent, and the device enrols as if there were nothing', async () => {
    await store(bed, 0x01c00100, [Buffer.alloc(64, 0x30)]);
    expect((await bed.open()).enrolBegin('code').ekChain).toEqual([]);
  });
});
