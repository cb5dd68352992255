import { Certify, Signature, encode } from '@ari-sidecar/tpm2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { certifyingData } from '../../attest/enrol/index.js';
import { sha256, toB64u } from '../../src/base/bytes.js';
import type { LinkBody } from '../../src/link.js';
import { DEVICE_RECORD } from '../../src/objects/device.js';
import type { Attestation } from '../../src/objects/evidence.js';
import { open } from '../../src/objects/signed.js';
import { AZURE, Cloud } from '../support/cloud.js';
import { TestPayer } from './support/payer.js';

type Challenge = LinkBody<'enrol_challenge'>;
let payer: TestPayer;
let code: string;
beforeAll(async () => {
  const cloud = await Cloud.start();
  payer = await TestPayer.start({}, '', cloud.rootPem);
  payer.device.begin = { ...payer.device.begin, ekCertificate: null, ekChain: [], provider: await cloud.shown(await cloud.provisionAzure(payer.device.tpm)) };
  code = await payer.code();
});
afterAll(() => payer.stop());

/** What the cloud's key says of the device's, over the challenge or what is put in its place. */
async function certify({ sessionId, nonce }: Pick<Challenge, 'sessionId' | 'nonce'>): Promise<Attestation> {
  const { tpm, key } = payer.device;
  const handles = { objectHandle: key, signHandle: await tpm.entity(AZURE.key) };
  const { certifyInfo, signature } = await tpm.run(Certify, handles, { qualifyingData: certifyingData(sessionId, nonce), inScheme: { scheme: 'null' } });
  return { attest: toB64u(certifyInfo), signature: toB64u(encode(Signature, signature)) };
}

/** A whole enrolment; @returns the type of the last answer, or its code. */
async function attempt(statement: (challenge: Challenge) => Promise<Attestation | null>): Promise<string> {
  await payer.beginLog(await payer.greet());
  const challenge = await payer.challenge(code);
  const answer = await payer.link.answerTo('enrol_proof', { ...(await payer.proof(challenge)), certify: await statement(challenge) });
  if (answer !== 'welcome') payer.link.close();
  return answer;
}

describe("a device that shows a cloud's attestation key", () => {
  it('is not enrolled without the statement of that key, or with one over another challenge', async () => {
    expect(await attempt(() => Promise.resolve(null))).toBe('enrol.certify');
    expect(await attempt(({ sessionId }) => certify({ sessionId, nonce: sha256('another') }))).toBe('enrol.certify');
    expect(await attempt(({ nonce }) => certify({ sessionId: 'another', nonce }))).toBe('enrol.certify');
  });

  it('is enrolled with it, on the same code; the record names the root of the cloud', async () => {
    expect(await attempt(certify)).toBe('welcome');
    const store = await payer.service.store();
    const device = (await store.deviceByAk(payer.device.akName.toString('hex')))!;
    expect(open(DEVICE_RECORD, device.record, (await payer.service.trust()).keys).value).toMatchObject({ ekRoot: 'CN=Cloud vTPM root', tierMax: 'T3' });
    await store.close();
  });
});
