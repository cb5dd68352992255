import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Public, encode, publicFromKey, templates } from '@ari-sidecar/tpm2';
import { generateKeyPairSync } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assertNotBlocked, checkEnrolment, onlyRoots, type TpmTrust } from '../../attest/enrol/index.js';
import { readAttest } from '../../attest/verify/attest.js';
import { type AnchorUse, readCrls } from '../../attest/x509/index.js';
import { sha256, toB64u } from '../../src/base/bytes.js';
import type { LinkBody } from '../../src/link.js';
import { type Party, NOW, ca, issue, party, pin, revocationList, x509 } from '../support/authority.js';
import { attesting, Cloud, partyOf } from '../support/cloud.js';
import { TestDevice, certificateTime } from '../support/device.js';
import { codeOf, messageOf } from '../support/fault.js';

let device: TestDevice;
let cloud: Party;
let root: Buffer;
/** A key in a virtual TPM of the cloud. */
let providerArea: Public;
let vm: Party;
beforeAll(async () => {
  device = await TestDevice.start({ ek: 'ekP256' });
  cloud = await party('CN=Cloud TPM root');
  root = await issue({ subject: cloud, issuer: cloud, extensions: ca() });
  providerArea = publicFromKey(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey, templates.akP256);
  vm = await partyOf(providerArea);
});
afterAll(() => device.stop());

const certified = async () => issue({ subject: vm, issuer: cloud, extensions: attesting(), serial: '4711' });
const trust = (uses: AnchorUse[] = ['ak'], more: Partial<TpmTrust> = {}): TpmTrust => ({ ...onlyRoots([pin(root, { uses })]), ...more });
const shownWith = (certificate: Buffer, chain: string[] = []) => ({ publicArea: toB64u(encode(Public, providerArea)), certificate: toB64u(certificate), chain });
const enrol = (certificate: Buffer, by = trust(), changes: Partial<LinkBody<'enrol_begin'>> = {}, chain: string[] = []) =>
  checkEnrolment({ ...device.begin, ekCertificate: null, ekChain: [], provider: shownWith(certificate, chain), ...changes }, by, NOW);
const refusal = async (certificate: Promise<Buffer>, by = trust()): Promise<string | null> => {
  const made = await certificate;
  return codeOf(() => enrol(made, by));
};

describe("a cloud's attestation key", () => {
  it('leads to a root that is pinned for attestation keys: one for endorsement keys does not do, and the other way round', async () => {
    expect(await refusal(certified())).toBeNull();
    expect(await refusal(certified(), trust(['ek']))).toBe('enrol.ak_certificate');
    expect(await refusal(certified(), onlyRoots([]))).toBe('enrol.ak_certificate');
    const asEk = codeOf(() => checkEnrolment(device.begin, { ...onlyRoots(device.roots.map((each) => ({ ...each, uses: ['ak'] as const }))) }, NOW));
    expect(asEk).toBe('enrol.ek_chain');
  });

  it('may have an issuer that is pinned itself, or comes with it', async () => {
    const issuing = await party('CN=Cloud issuer');
    const intermediate = await issue({ subject: issuing, issuer: cloud, extensions: ca() });
    const leaf = await issue({ subject: vm, issuer: issuing, extensions: attesting() });
    expect(codeOf(() => enrol(leaf))).toBe('enrol.ak_certificate');
    expect(codeOf(() => enrol(leaf, trust(), {}, [toB64u(intermediate)]))).toBeNull();
    expect(codeOf(() => enrol(leaf, onlyRoots([pin(intermediate, { uses: ['ak'] })])))).toBeNull();
  });

  it('is refused when its authority revoked it', async () => {
    const lists = readCrls(await revocationList({ issuer: cloud, serials: ['4711'] }));
    expect(await refusal(certified(), trust(['ak'], { revocations: { lists, refuseStale: true } }))).toBe('enrol.ak_certificate');
    expect(await refusal(certified(), trust(['ak'], { revocations: { lists: readCrls(await revocationList({ issuer: cloud, serials: ['4712'] })), refuseStale: true } }))).toBeNull();
  });

  it('does not outweigh an endorsement certificate that is wrong, and stands beside one that is right', async () => {
    const made = await certified();
    expect(codeOf(() => enrol(made, trust(), { ekCertificate: toB64u(Buffer.from('none')) }))).toBe('enrol.ek_chain');
    const now = await Cloud.start();
    const both = onlyRoots([now.pinned, ...device.roots]);
    const facts = checkEnrolment({ ...device.begin, provider: await now.shown(providerArea) }, both, certificateTime());
    expect(facts).toMatchObject({ ekRoot: device.facts.ekRoot, simulated: true, provider: { sha256: expect.any(String) } });
    expect(codeOf(() => checkEnrolment({ ...device.begin, provider: shownWith(made) }, both, certificateTime()))).toBe('enrol.ak_certificate');
  });

  it('marks the device as simulated where its root does', async () => {
    expect(enrol(await certified(), onlyRoots([pin(root, { uses: ['ak'], simulated: true })])).simulated).toBe(true);
    expect(enrol(await certified()).simulated).toBe(false);
    const now = await Cloud.start();
    const real = device.roots.map((each) => ({ ...each, simulated: false }));
    const beside = async (simulated: boolean) => checkEnrolment({ ...device.begin, provider: await now.shown(providerArea) }, onlyRoots([{ ...now.pinned, simulated }, ...real]), certificateTime()).simulated;
    expect([await beside(false), await beside(true)]).toEqual([false, true]);
  });
});

describe('an endorsement certificate', () => {
  const enrolAt = (nowS: number): string | null => messageOf(() => checkEnrolment(device.begin, onlyRoots(device.roots), nowS));

  it('whose path is over, or has not begun, does not enrol, and no setting takes it', () => {
    expect(enrolAt(certificateTime())).toBeNull();
    const afterYear9999 = 253_402_300_800; // swtpm certifies until then
    for (const nowS of [afterYear9999, NOW - 20_000 * 86_400]) expect(enrolAt(nowS)).toMatch(/does not chain to a pinned root: .* is not valid at this time/);
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
    const absent = await issue({ subject: vm, issuer: issuing, extensions: [...attesting(), aia] });
    expect(codeOf(() => enrol(absent))).toBe('enrol.ak_certificate');
    await new Promise((resolve) => { setTimeout(resolve, 50); });
    expect(asked).toBe(0);
    server.close();
  });
});
