import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { publicKeyOf } from '@ari-sidecar/tpm2';
import { webcrypto } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assertNotBlocked, checkEnrolment, onlyRoots, type TpmTrust } from '../../attest/enrol/index.js';
import { readAttest } from '../../attest/verify/attest.js';
import { type AnchorUse, AK_PURPOSE, EK_PURPOSE, readCrls } from '../../attest/x509/index.js';
import { sha256, toB64u } from '../../src/base/bytes.js';
import type { LinkBody } from '../../src/link.js';
import { type Party, NOW, ca, issue, party, pin, purposes, revocationList, usage, x509 } from '../support/authority.js';
import { TestDevice } from '../support/device.js';
import { codeOf } from '../support/fault.js';

let device: TestDevice;
let cloud: Party;
let root: Buffer;
beforeAll(async () => {
  device = await TestDevice.start({ ek: 'ekP256' });
  cloud = await party('CN=Cloud TPM root');
  root = await issue({ subject: cloud, issuer: cloud, extensions: ca() });
});
afterAll(() => device.stop());

const attesting = (purpose = AK_PURPOSE): x509.Extension[] => [new x509.BasicConstraintsExtension(false, undefined, true), new x509.KeyUsagesExtension(usage.digitalSignature, true), purposes(purpose)];
/** The attestation key of the test device as a party that can be certified. */
async function ak(): Promise<Party> {
  const spki = publicKeyOf(device.akPublic).export({ format: 'der', type: 'spki' });
  const publicKey = await webcrypto.subtle.importKey('spki', spki, { name: 'ECDSA', namedCurve: 'P-256' }, true, ['verify']);
  return { name: 'CN=ak.cloud.example', keys: { publicKey, privateKey: cloud.keys.privateKey } };
}
const certified = async (extensions = attesting(), subject?: Party) => issue({ subject: subject ?? (await ak()), issuer: cloud, extensions, serial: '4711' });
const trust = (uses: AnchorUse[] = ['ak'], more: Partial<TpmTrust> = {}): TpmTrust => ({ ...onlyRoots([pin(root, { uses })]), ...more });
const enrol = (akCertificate: Buffer, by = trust(), changes: Partial<LinkBody<'enrol_begin'>> = {}) =>
  checkEnrolment({ ...device.begin, ekCertificate: null, ekChain: [], akCertificate: toB64u(akCertificate), ...changes }, by, NOW);
const refusal = async (certificate: Promise<Buffer>, by = trust()): Promise<string | null> => {
  const made = await certificate;
  return codeOf(() => enrol(made, by));
};

describe('an attestation key that a cloud certifies', () => {
  it('stands for the endorsement certificate that is not there, and reaches the same tier', async () => {
    expect(enrol(await certified())).toMatchObject({ tierMax: device.facts.tierMax, ekRoot: 'CN=Cloud TPM root', simulated: false });
  });

  it('is exactly the key that enrols: a certificate of another key is refused, whatever public area is shown beside it', async () => {
    expect(await refusal(certified(attesting(), await party('CN=ak.cloud.example')))).toBe('enrol.ak_certificate');
  });

  it('leads to a root that is pinned for attestation keys: one for endorsement keys does not do, and the other way round', async () => {
    expect(await refusal(certified(), trust(['ek']))).toBe('enrol.ak_certificate');
    expect(await refusal(certified(), onlyRoots([]))).toBe('enrol.ak_certificate');
    const asEk = codeOf(() => checkEnrolment(device.begin, { ...onlyRoots(device.roots.map((each) => ({ ...each, uses: ['ak'] as const }))) }, NOW));
    expect(asEk).toBe('enrol.ek_chain');
  });

  it('has a certificate for attestation keys: one of an endorsement key or an authority is refused', async () => {
    expect(await refusal(certified(attesting(EK_PURPOSE)))).toBe('enrol.ak_certificate');
    expect(await refusal(certified([...ca(), purposes(AK_PURPOSE)]))).toBe('enrol.ak_certificate');
    expect(await refusal(Promise.resolve(Buffer.from('none')))).toBe('enrol.ak_certificate');
  });

  it('is refused when its authority revoked it', async () => {
    const lists = readCrls(await revocationList({ issuer: cloud, serials: ['4711'] }));
    expect(await refusal(certified(), trust(['ak'], { revocations: { lists, refuseStale: true } }))).toBe('enrol.ak_certificate');
    expect(await refusal(certified(), trust(['ak'], { revocations: { lists: readCrls(await revocationList({ issuer: cloud, serials: ['4712'] })), refuseStale: true } }))).toBeNull();
  });

  it('does not outweigh an endorsement certificate that is wrong', async () => {
    const made = await certified();
    expect(codeOf(() => enrol(made, trust(), { ekCertificate: toB64u(Buffer.from('none')) }))).toBe('enrol.ek_chain');
  });
});

describe('a TPM on the block list', () => {
  it('is refused by what its own quote says of its firmware', async () => {
    const { quote } = await device.platform({ nonce: sha256('block') });
    const { firmwareVersion } = readAttest(quote);
    const major = Number(firmwareVersion >> 48n);
    const row = { id: 'CVE-0000-0001', reason: 'a test', reference: '', manufacturer: 'IBM', models: null, ek: null };
    const listed = (from: number) => ({ ...onlyRoots([]), blockList: { rows: [{ ...row, firmware: [{ from: `${from}`, below: `${from + 1}` }] }] } });
    const { model } = device.facts.provenance!;
    const facts = { ...device.facts, provenance: { ...device.facts.provenance!, model: { ...model!, manufacturer: 'id:49424D00' } } };
    expect(codeOf(() => assertNotBlocked(listed(major), facts, firmwareVersion))).toBe('enrol.tpm_blocked');
    expect(codeOf(() => assertNotBlocked(listed(major + 1), facts, firmwareVersion))).toBeNull();
    expect(codeOf(() => assertNotBlocked(listed(major), { ...facts, provenance: null }, firmwareVersion))).toBeNull();
  });
});

describe('SSRF by AIA', () => {
  it('nothing that a certificate names is fetched, also when its issuer is missing', async () => {
    let asked = 0;
    const server = createServer((_, response) => { asked += 1; response.end(); });
    await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve); });
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/issuer.crt`;
    const location = Buffer.from(url);
    const entry = Buffer.concat([Buffer.from('06082b06010505073002', 'hex'), Buffer.of(0x86, location.length), location]);
    const aia = new x509.Extension('1.3.6.1.5.5.7.1.1', false, Buffer.concat([Buffer.of(0x30, entry.length + 2, 0x30, entry.length), entry]));
    const issuing = await party('CN=Absent authority');
    const absent = await issue({ subject: await ak(), issuer: issuing, extensions: [...attesting(), aia] });
    expect(codeOf(() => enrol(absent))).toBe('enrol.ak_certificate');
    await new Promise((resolve) => { setTimeout(resolve, 50); });
    expect(asked).toBe(0);
    server.close();
  });
});
