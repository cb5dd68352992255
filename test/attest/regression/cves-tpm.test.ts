/** CVEs of TPMs and of what stands beside them on the device, performed against the prover that the sidecar runs. */
import { createServer, connect as dial } from 'node:net';
import { mkdtempSync, readFileSync, readdirSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Public, Quote, connect, decodeRc, encode, password, selectPcrs, templates } from '@ari-sidecar/tpm2';
import { afterAll, beforeAll, expect } from 'vitest';
import { fromB64u, sha256, toB64u } from '../../../src/base/bytes.js';
import { assertNotBlocked, onlyRoots } from '../../../attest/enrol/index.js';
import { blocked } from '../../../attest/x509/index.js';
import { type Daemon, startDaemon } from '../../../daemon/main.js';
import { loadTpmTrust } from '../../../verifier/tpms.js';
import { TestVerifier, type Bed, startBed } from '../../daemon/tpm/bed.js';
import { platformBench } from '../../support/appraisal.js';
import { PCRS, TestDevice } from '../../support/device.js';
import { codeOf } from '../../support/fault.js';
import { TestService } from '../../verifier/support/service.js';
import { quoteOf } from './forgery.js';
import { isCheckedQuote } from './naive.js';
import { row } from './rows.js';

let bed: Bed;
beforeAll(async () => { bed = await startBed(); });
afterAll(() => bed.stop());

const nonce = sha256('platform nonce');
const { blockList } = loadTpmTrust({ ekRoots: [], akRoots: [], testRoots: [], crlStale: 'refuse', blockListFile: 'builtin', publishers: '', policyFile: '' });

/** Whether the shipped list speaks of a TPM of this vendor (TCG id), at this firmware, with such an endorsement key. */
function isListed(vendor: string, firmware: string, ek: 'rsa' | 'ec' = 'rsa'): boolean {
  const words = [...firmware.split('.').map(Number), 0, 0, 0].slice(0, 4);
  const model = { manufacturer: `id:${Buffer.from(vendor.padEnd(4, '\0')).toString('hex').toUpperCase()}`, model: 'any', version: 'any' };
  return blocked(blockList, { model, ek, moduli: [], firmware: words.reduce((all, word) => (all << 16n) | BigInt(word), 0n) }) !== null;
}

/** A number that Infineon's library could have made: a power of 65537 modulo every small prime. */
function rocaModulus(): Buffer {
  const primorial = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167].reduce((m, p) => m * BigInt(p), 1n);
  const n = (65537n ** 7n) % primorial + primorial * ((1n << 2047n) / primorial + 1n);
  return Buffer.from(n.toString(16).padStart(512, '0'), 'hex');
}

row('CVE-2017-15361', 'a key that can be factored from its public part does not enrol, whatever its certificate says', () => {
  expect([isListed('IFX', '4.33'), isListed('IFX', '4.34'), isListed('IFX', '4.33', 'ec')]).toEqual([true, false, false]);
  const ekPublic = { ...templates.ekRsa2048, unique: rocaModulus() };
  const akPublic = toB64u(encode(Public, { ...templates.akRsa2048, unique: ekPublic.unique }));
  expect(codeOf(() => assertNotBlocked(onlyRoots([]), { ekPublic, akPublic, provider: null, provenance: null }, 0n))).toBe('enrol.tpm_blocked');
  const sound = { ekPublic: templates.ekP256, akPublic: toB64u(encode(Public, templates.akP256)), provenance: null };
  expect(codeOf(() => assertNotBlocked(onlyRoots([]), { ...sound, provider: { publicArea: { ...templates.akRsa2048, unique: ekPublic.unique } } }, 0n))).toBe('enrol.tpm_blocked');
  expect(codeOf(() => assertNotBlocked(onlyRoots([]), { ...sound, provider: null }, 0n))).toBeNull();
  expect(blocked({ rows: [] }, { model: null, ek: 'rsa', moduli: [ekPublic.unique], firmware: 0n })).toContain('CVE-2017-15361');
  expect(blocked({ rows: [] }, { model: null, ek: 'rsa', moduli: [Buffer.concat([ekPublic.unique.subarray(0, -1), Buffer.of(ekPublic.unique.at(-1)! ^ 2)])], firmware: 0n })).toBeNull();
});
row('CVE-2019-11090', 'a TPM whose signatures tell its key by their time (TPM-FAIL, Intel) is listed up to its repair', () => expect([isListed('INTC', '11.8.50'), isListed('INTC', '11.8.65')]).toEqual([true, false]));
row('CVE-2019-16863', 'and so is the one of STMicroelectronics', () => expect([isListed('STM', '71.12'), isListed('STM', '71.16')]).toEqual([true, false]));
row('CVE-2023-1017', 'a TPM that writes past its buffer is listed up to its repair', () => expect([isListed('NTC', '1.3.1.0'), isListed('NTC', '1.3.2.20')]).toEqual([true, false]));
row('CVE-2023-1018', 'one that reads past it is the same TPM at the same firmware', () => expect([isListed('NTC', '1.3.1.0'), isListed('NTC', '1.3.2.20')]).toEqual([true, false]));
row('CVE-2025-2884', 'a TPM that reads past a buffer in CryptHmacSign is listed up to its repair where its maker named one, and no other maker is guessed at', () => {
  expect(['7.2.0.2', '7.2.4.0', '7.2.4.1', '7.2.5.0', '1.3.2.20'].map((firmware) => isListed('NTC', firmware))).toEqual([true, true, false, false, false]);
  expect(['INTC', 'AMD', 'STM'].some((vendor) => isListed(vendor, '7.2.4.0', 'ec'))).toBe(false);
});

row('CVE-2021-42299', 'a bank that the firmware left empty, filled afterwards with the values of a clean machine', async () => {
  const device = await TestDevice.start({ measures: [] });
  try {
    for (const pcr of [4, 7]) await device.extendPcr(pcr, Buffer.alloc(32, pcr + 1));
    const evidence = await device.platform({ nonce });
    expect(isCheckedQuote(device.akPublic, evidence.quote, quoteOf(evidence).extraData)).toBe(true);
    expect(platformBench(device, evidence).refusal({})).toBe('quote.pcr_unused');
  } finally {
    await device.stop();
  }
});

row('CVE-2018-6622', 'PCRs emptied by a sleep without a saved state, and filled again as after a good boot', async () => {
  const device = await TestDevice.start();
  try {
    await device.measure('agent_start');
    const before = await device.platform({ nonce });
    const known = platformBench(device, before).appraise();
    await device.reboot('restart');
    await device.replay(device.log.slice(0, 1));
    const after = await device.platform({ nonce, counter: false });
    expect(after.quote.pcrs, 'the PCRs say nothing of it').toEqual(before.quote.pcrs);
    expect(quoteOf(after).clockInfo.resetCount, 'nor does the reset count').toBe(quoteOf(before).clockInfo.resetCount);
    expect(platformBench(device, after).refusal({ connection: false, device: device.known({ clock: known.next!.clock, head: known.next!.head, latest: known.next!.head }), log: { ...device.delta(), from: 1, entries: [] } })).toBe('log.truncated');
  } finally {
    await device.stop();
  }
});

row('CVE-2023-22745', 'a response code of any layer is told, none runs out of a table', () => {
  for (let layer = 0; layer <= 0xffff; layer++) expect(decodeRc((layer * 0x10000 + 0x9a2) >>> 0)).toBeDefined();
});

/** A listener between a client and the TPM: what a process that may read the socket sees. */
async function tapped(path: string, upstream: string): Promise<{ spec: string; heard(): Buffer; close(): void }> {
  const parts: Buffer[] = [];
  const server = createServer((client) => {
    const tpm = dial(upstream);
    for (const [from, to] of [[client, tpm], [tpm, client]] as const) from.on('data', (part) => { parts.push(part); to.write(part); }).on('close', () => to.destroy()).on('error', () => to.destroy());
  });
  await new Promise<void>((done) => { server.listen(path, done); });
  return { spec: `swtpm:unix:${path}`, heard: () => Buffer.concat(parts), close: () => { server.close(); } };
}

row('CVE-2017-7524', 'the authorisation of the attestation key is never sent: neither when it is made nor when it signs', async () => {
  const tap = await tapped(join(bed.swtpm.dir, 'tap'), bed.relay.spec.replace('swtpm:unix:', ''));
  const prover = await bed.open({ channel: tap.spec });
  const verifier = new TestVerifier(bed);
  await verifier.enrol(prover);
  const parts = verifier.parts();
  expect(verifier.pay(parts, await prover.prove(parts))).toBeNull();
  const { auth } = JSON.parse(readFileSync(join(bed.config.stateDir, 'ak.json'), 'utf8')) as { auth: string };
  const secret = fromB64u(auth)!;
  expect(secret).toHaveLength(32);
  expect(tap.heard().length).toBeGreaterThan(5_000);
  expect(tap.heard().includes(secret)).toBe(false);
  await prover.close();
  const careless = await connect(tap.spec, { sweep: false });
  const signHandle = await careless.entity(0x8102a710, password(secret));
  await careless.run(Quote, { signHandle }, { qualifyingData: Buffer.alloc(32), inScheme: { scheme: 'null' }, PCRselect: selectPcrs('sha256', PCRS) });
  expect(tap.heard().includes(secret), 'with a password session it is').toBe(true);
  await careless.close();
  tap.close();
});

row('CVE-2022-23952', 'what the sidecar writes is for its user alone', () => {
  const files = readdirSync(bed.config.stateDir);
  expect(files).toEqual(expect.arrayContaining(['ak.json', 'measurements.log', 'sequence.json']));
  for (const file of files) expect(statSync(join(bed.config.stateDir, file)).mode & 0o077, file).toBe(0);
});

/** TCP ports on which this process listens. */
function ports(): string[] {
  const own = new Set(readdirSync('/proc/self/fd').map((fd) => { try { return readlinkSync(`/proc/self/fd/${fd}`); } catch { return ''; } }));
  const rows = ['tcp', 'tcp6'].flatMap((table) => readFileSync(`/proc/self/net/${table}`, 'utf8').split('\n').slice(1)).map((line) => line.trim().split(/\s+/));
  return rows.filter(([, , , state, , , , , , inode]) => state === '0A' && own.has(`socket:[${inode}]`)).map(([, local]) => local!);
}

async function withSidecar(use: (daemon: Daemon, socket: string) => Promise<void>): Promise<void> {
  const service = await new TestService().start();
  const keysFile = join(service.dir, 'trust.json');
  writeFileSync(keysFile, (await service.call('GET', '/.well-known/jwks.json')).text);
  await service.running.close();
  const dir = mkdtempSync(join(tmpdir(), 'ari-ports-'));
  const socket = join(dir, 'agent.sock');
  const daemon = await startDaemon({
    verifier: { url: 'ws://127.0.0.1:9', keysFile }, tpm: { channel: bed.relay.spec, registerIndex: 0x01d10300, counterIndex: 0x01d10301 }, agents: { socket, allow: [] },
    state: { dir: join(dir, 'state') }, limits: { bodyBytes: 65_536, paymentsPerMinute: 600 }, proxy: { loopback: false }, log: { level: 'silent' },
  }, bed.log);
  try {
    await use(daemon, socket);
  } finally {
    await daemon.close();
    for (const each of [dir, service.dir]) rmSync(each, { recursive: true, force: true });
  }
}

row('CVE-2021-43310', 'a running sidecar listens on no port of any network', async () => {
  const before = ports();
  await withSidecar(async (daemon, socket) => {
    expect(daemon.status()).toBeDefined();
    expect(statSync(socket).isSocket()).toBe(true);
    expect(ports()).toEqual(before);
    const control = createServer();
    await new Promise<void>((done) => { control.listen(0, '127.0.0.1', done); });
    expect(ports(), 'the check sees ports').toHaveLength(before.length + 1);
    control.close();
  });
});

row('GHSA-2m39', 'nobody resets a key from outside: the socket of agents knows no such request, and knows no stranger', async () => {
  await withSidecar(async (_, socket) => {
    for (const path of ['/keys/ukey', '/v2.1/keys/ukey', '/v1/reset', '/v1/enrol']) {
      const answer = await new Promise<string>((done) => {
        const client = dial(socket, () => client.write(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}`));
        client.once('data', (part) => { done(part.toString()); client.destroy(); });
        client.once('close', () => done('HTTP/1.1 403 closed'));
        client.once('error', () => done('HTTP/1.1 403 closed'));
      });
      expect(answer, path).toMatch(/^HTTP\/1\.1 40[34]/);
    }
  });
});
