import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EK_CERTIFICATE_INDEX, GetCapability, NV_UndefineSpace, Public, RH, encode } from '@ari-sidecar/tpm2';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { checkEnrolment, onlyRoots } from '../../../attest/enrol/index.js';
import type { Prover, ProviderConfig } from '../../../daemon/tpm/types.js';
import { toB64u } from '../../../src/base/bytes.js';
import { pemOf } from '../../support/authority.js';
import { AZURE, Cloud, GOOGLE } from '../../support/cloud.js';
import { certificateTime } from '../../support/device.js';
import { type Bed, TestVerifier, startBed } from './bed.js';

describe("a cloud's virtual TPM, without a certificate of an endorsement key", () => {
  let bed: Bed;
  let cloud: Cloud;
  let folder: string;
  let azure: Public;
  const opened: Prover[] = [];
  beforeAll(async () => {
    [bed, cloud, folder] = await Promise.all([startBed({ ecCertificate: false }), Cloud.start(), mkdtemp(join(tmpdir(), 'provider-'))]);
    await bed.stranger(async (tpm) => {
      for (const nvIndex of [EK_CERTIFICATE_INDEX.ekRsa2048, EK_CERTIFICATE_INDEX.ekP384]) await tpm.run(NV_UndefineSpace, { authHandle: RH.PLATFORM, nvIndex }, {});
      azure = await cloud.provisionAzure(tpm);
      await cloud.provisionGoogle(tpm);
    });
  });
  afterEach(() => Promise.all(opened.splice(0).map((prover) => prover.close())));
  afterAll(async () => {
    await bed.stop();
    await rm(folder, { recursive: true });
  });

  /** The only prover, as it is in a daemon. */
  async function open(provider?: ProviderConfig): Promise<Prover> {
    const prover = await bed.open({ provider });
    opened.push(prover);
    return prover;
  }

  const enrolled = async (provider: ProviderConfig): Promise<Prover> => {
    const prover = await open(provider);
    expect(prover).toMatchObject({ tier: 'T2', reason: null });
    const verifier = new TestVerifier(bed);
    expect(await verifier.enrol(prover, [cloud.pinned])).toMatchObject({ ekRoot: 'CN=Cloud vTPM root', tierMax: 'T3', simulated: false });
    expect(await verifier.connect(prover)).toEqual([]);
    expect(verifier.known.record.value.ekRoot).toBe('CN=Cloud vTPM root');
    return prover;
  };

  it("is enrolled by the provider's key as Azure provisions it: persistent, its certificate in NV for the owner to read", async () => {
    const prover = await enrolled(AZURE);
    expect(prover.enrolBegin('code').provider?.publicArea).toBe(toB64u(encode(Public, azure)));
    expect(await prover.doctor()).toContainEqual({ name: 'provider_key', ok: true, detail: '81000003, certificate 01c101d0', fix: null });
    expect((await prover.doctor()).every(({ ok }) => ok)).toBe(true);
  });

  it("is enrolled by the provider's key as Google provisions it: made from a template in NV, and nothing of it stays loaded", async () => {
    await enrolled(GOOGLE);
    const loaded = await bed.stranger((tpm) => tpm.run(GetCapability, {}, { capability: 'handles', property: 0x80000000, propertyCount: 254 }));
    expect(loaded.capabilityData).toMatchObject({ data: [] });
  });

  it('is enrolled with a certificate from a file, authorities behind it', async () => {
    const certificate = join(folder, 'ak.pem');
    await writeFile(certificate, pemOf(await cloud.certify(azure)) + cloud.rootPem);
    const prover = await enrolled({ key: AZURE.key, certificate });
    expect(prover.enrolBegin('code').provider?.chain).toHaveLength(1);
  });

  it('is at tier T1 where the configuration names no key, and the doctor says what would help', async () => {
    const prover = await open();
    expect(prover).toMatchObject({ tier: 'T1', reason: 'the TPM holds no endorsement certificate' });
    expect(prover.enrolBegin('code').provider).toBeNull();
    expect(await prover.doctor()).toContainEqual(expect.objectContaining({ name: 'ek_certificate', ok: false, fix: expect.stringContaining('[tpm.provider]') }));
  });

  it.each([
    ['a key that is not there', { key: 0x81000004, certificate: AZURE.certificate }, /81000004/],
    ['an index that holds no template', { key: 0x01c10002, certificate: AZURE.certificate }, /01c10002/],
    ['a certificate that is not there', { key: AZURE.key, certificate: 0x01c101d1 }, /01c101d1/],
    ['a file that is not there', { key: AZURE.key, certificate: '/nowhere/ak.pem' }, /\/nowhere\/ak.pem: ENOENT/],
  ])('is at tier T1 with the reason when the configuration names %s', async (_, provider, reason) => {
    const prover = await open(provider);
    expect(prover).toMatchObject({ tier: 'T1', reason: expect.stringMatching(/^tpm\.provider: /), akName: expect.any(String) });
    expect(prover.reason).toMatch(reason);
    expect(prover.enrolBegin('code').provider).toBeNull();
    expect(await prover.doctor()).toContainEqual(expect.objectContaining({ name: 'provider_key', ok: false }));
    expect(checkEnrolment(prover.enrolBegin('code'), onlyRoots([cloud.pinned]), certificateTime()).tierMax).toBe('T1');
  });
});
