import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createSecureContext } from 'node:tls';
import { X509Certificate } from 'node:crypto';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { apiOf } from '../../cli/http.js';
import { verifierToml } from '../../cli/commands/verifier.js';
import { connectLink } from '../../daemon/link/socket.js';
import { initVerifier } from '../../verifier/init.js';
import { loadConfig } from '../../verifier/config.js';
import { type RunningVerifier, startVerifier } from '../../verifier/main.js';
import { ari } from '../cli/support.js';

const dir = mkdtempSync(join(tmpdir(), 'ari-tls-'));
const config = join(dir, 'verifier.toml');
let running: RunningVerifier;
let authority: string;

beforeAll(async () => {
  writeFileSync(config, verifierToml({ issuer: 'https://127.0.0.1:1', listen: '127.0.0.1:0' }));
  writeFileSync(join(dir, 'password'), 'open sesame\n');
  const { status, err } = await ari('verifier', 'tls', '-c', config, '--host', '127.0.0.1', '--host', 'verifier.example', '--p12', join(dir, 'trust.p12'), '--p12-password-file', join(dir, 'password'));
  expect(status, err).toBe(0);
  authority = readFileSync(join(dir, 'tls', 'ca.pem'), 'utf8');
  initVerifier(loadConfig(config));
  running = await startVerifier(loadConfig(config), { logger: pino({ level: 'silent' }) });
}, 60_000);
afterAll(async () => {
  await running.close();
  rmSync(dir, { recursive: true, force: true });
});

describe('a verifier with an authority of its own', () => {
  it('serves over TLS to those who have the authority, the API and the link', async () => {
    expect(running.url).toMatch(/^https:/);
    expect(await apiOf({ url: running.url, ca: authority }).get('/healthz')).toMatchObject({ status: 'ok' });
    const socket = await connectLink(running.url.replace('https', 'wss'), authority, () => undefined);
    socket.close();
    await socket.closed;
  });

  it('is nobody to those who have not', async () => {
    await expect(apiOf({ url: running.url }).get('/healthz')).rejects.toMatchObject({ code: 'link.offline' });
    await expect(connectLink(running.url.replace('https', 'wss'), undefined, () => undefined)).rejects.toMatchObject({ code: 'link.offline' });
  });

  it('has an authority that signs certificates only, and a certificate for the hosts named only', () => {
    const [ca, leaf] = [new X509Certificate(authority), new X509Certificate(readFileSync(join(dir, 'tls', 'cert.pem')))];
    expect([ca.ca, leaf.ca, leaf.verify(ca.publicKey), leaf.checkHost('verifier.example'), leaf.checkIP('127.0.0.1'), leaf.checkHost('other.example')]).toEqual([true, false, true, 'verifier.example', '127.0.0.1', undefined]);
  });

  it('keeps its keys to itself', () => {
    for (const file of ['ca.key', 'key.pem']) expect(statSync(join(dir, 'tls', file)).mode & 0o777).toBe(0o600);
  });

  it('gives terminal makers the authority in a PKCS#12 container that opens with its password only', () => {
    const pfx = readFileSync(join(dir, 'trust.p12'));
    expect(() => createSecureContext({ pfx, passphrase: 'wrong' })).toThrow();
    const { status, stdout } = spawnSync('openssl', ['pkcs12', '-in', join(dir, 'trust.p12'), '-passin', 'pass:open sesame', '-nokeys'], { encoding: 'utf8' });
    if (status !== null) expect(stdout).toContain(new X509Certificate(authority).toString().split('\n')[1]);
  });

  it('renews the certificate under the same authority, and leaves the configuration as it is', async () => {
    const before = readFileSync(config, 'utf8');
    expect((await ari('verifier', 'tls', '-c', config, '--host', '127.0.0.1')).status).toBe(0);
    expect(readFileSync(join(dir, 'tls', 'ca.pem'), 'utf8')).toBe(authority);
    expect(readFileSync(config, 'utf8')).toBe(before);
  });
});
