/** One exchange with a payee, over real TLS. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { rootCertificates } from 'node:tls';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addressOf, isPublic } from '../../../daemon/proxy/address.js';
import { ANSWER_BYTES, endToEnd, exchange, pairsOf } from '../../../daemon/proxy/exchange.js';
import { targetOf } from '../../../src/protocols/index.js';
import { issueTls } from '../../../verifier/tls.js';

const dir = mkdtempSync(join(tmpdir(), 'ari-exchange-'));
let server: Server;
let ca: string;
const asked: string[] = [];
beforeAll(async () => {
  const tls = await issueTls(dir, ['localhost'], Date.now());
  ca = readFileSync(tls.authority, 'utf8');
  server = createServer({ cert: readFileSync(tls.certificate), key: readFileSync(tls.key) }, (request, response) => {
    asked.push(`${request.method} ${request.url} ${request.rawHeaders.join('|')}`);
    if (request.url === '/large') response.end(Buffer.alloc(ANSWER_BYTES + 1));
    else if (request.url === '/away') response.writeHead(307, { location: 'http://169.254.169.254/latest/meta-data' }).end();
    else if (request.url === '/cut') { response.writeHead(200, { 'content-length': '10' }).write('half'); setImmediate(() => request.socket.destroy()); }
    else response.writeHead(200, { 'X-Two': ['a', 'b'] }).end('whole');
  });
  await new Promise<void>((done) => { server.listen(0, '127.0.0.1', done); });
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
  rmSync(dir, { recursive: true });
});

const to = (path: string, { host = 'localhost', loopback = true, trusted = true } = {}) =>
  exchange(targetOf(`/x/ucp/${host}:${(server.address() as AddressInfo).port}${path}`), { method: 'GET', path, headers: [['x-own', 'Kept']], body: Buffer.alloc(0) }, { ca: trusted ? [...rootCertificates, ca] : [], loopback });

describe('an exchange with a payee', () => {
  it('gives its answer whole, with every header', async () => {
    const { status, headers, body } = await to('/');
    expect([status, body.toString(), headers.filter(([name]) => name === 'x-two')]).toEqual([200, 'whole', [['x-two', 'a'], ['x-two', 'b']]]);
    expect(asked.at(-1)).toMatch(/^GET \/ host\|localhost:\d+\|x-own\|Kept\|connection\|close$/);
  });

  it('follows no redirect', async () => {
    expect((await to('/away')).status).toBe(307);
  });

  it.each([
    ['an answer that is too large', '/large', {}, 'payee.answer'],
    ['an answer that was cut off', '/cut', {}, 'payee.unreachable'],
    ['a certificate of nobody known', '/', { trusted: false }, 'payee.unreachable'],
    ['a certificate for another host', '/', { host: '127.0.0.1' }, 'payee.unreachable'],
    ['a host on this machine, unless it is allowed', '/', { loopback: false }, 'payee.address'],
  ])('refuses %s', async (_, path, how, code) => {
    await expect(to(path, how)).rejects.toMatchObject({ code });
  });

  it('takes no headers of a connection, nor those it names, nor those of the sidecar from one side to the other', () => {
    const raw = ['Host', 'x', 'Connection', 'keep-alive, X-Drop', 'X-Drop', '1', 'Transfer-Encoding', 'chunked', 'ARI-Payment', 'forged', 'Cookie', 'a', 'cookie', 'b', 'TE', 'trailers', 'Proxy-Authorization', 'x'];
    expect(endToEnd(pairsOf(raw))).toEqual([['cookie', 'a'], ['cookie', 'b']]);
  });
});

describe('the address of a payee', () => {
  it.each(['0.0.0.0', '10.1.2.3', '100.64.0.1', '127.0.0.1', '169.254.169.254', '172.16.0.1', '172.31.255.255', '192.168.1.1', '192.0.2.1', '198.18.0.1', '203.0.113.9', '224.0.0.1', '255.255.255.255',
    '::', '::1', '::ffff:169.254.169.254', '64:ff9b::a9fe:a9fe', 'fe80::1', 'fc00::1', 'fd00:ec2::254', 'ff02::1', '2001:db8::1', '2002:a9fe:a9fe::1', '2001::1', 'localhost', ''])('is not public: %s', (address) => {
    expect(isPublic(address)).toBe(false);
  });

  it.each(['1.1.1.1', '172.32.0.1', '100.128.0.1', '192.0.1.1', '2606:4700:4700::1111', '2a00:1450:4001::8a'])('is public: %s', (address) => {
    expect(isPublic(address)).toBe(true);
  });

  it('of the metadata service of a cloud is refused, also where this machine is allowed', async () => {
    await expect(addressOf('169.254.169.254', true)).rejects.toMatchObject({ code: 'payee.address' });
    await expect(addressOf('10.0.0.1', true)).rejects.toMatchObject({ code: 'payee.address' });
    await expect(addressOf('127.0.0.1', false)).rejects.toMatchObject({ code: 'payee.address' });
    await expect(addressOf('127.0.0.1', true)).resolves.toMatchObject({ address: '127.0.0.1' });
  });

  it('of a name that is none is said to be unknown', async () => {
    await expect(addressOf('no-such-host.invalid', false)).rejects.toMatchObject({ code: 'payee.unreachable' });
  });
});
