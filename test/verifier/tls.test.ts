import 'reflect-metadata';
import { webcrypto } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { once } from 'node:events';
import { request } from 'node:https';
import { join } from 'node:path';
import { connect } from 'node:tls';
import * as x509 from '@peculiar/x509';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { LINK_PATH, LINK_PROTOCOL } from '../../src/link.js';
import { startVerifier } from '../../verifier/main.js';
import { codeOf } from '../support/fault.js';
import { TestService } from './support/service.js';

let service: TestService;
let ca: string;

async function selfSigned(): Promise<{ cert: string; key: string }> {
  x509.cryptoProvider.set(webcrypto as never);
  const keys = await webcrypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, true, ['sign', 'verify']);
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    keys: keys as never, name: 'CN=localhost', signingAlgorithm: { name: 'ECDSA', hash: 'SHA-256' }, notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 3_600_000),
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: 'ip', value: '127.0.0.1' }])],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)).toString('base64');
  return { cert: cert.toString('pem'), key: `-----BEGIN PRIVATE KEY-----\n${pkcs8}\n-----END PRIVATE KEY-----\n` };
}

beforeAll(async () => {
  const { cert, key } = await selfSigned();
  ca = cert;
  service = await new TestService({ files: { 'cert.pem': cert, 'key.pem': key }, toml: '\n[tls]\ncert_file = "cert.pem"\nkey_file = "key.pem"\n' }).start();
});
afterAll(() => service.stop());

describe('a verifier with a certificate', () => {
  it('serves API and link over TLS 1.3', async () => {
    const [answer] = await once(request(new URL('/healthz', service.running.url), { ca }).end(), 'response');
    expect(answer.statusCode).toBe(200);
    expect(answer.socket.getProtocol()).toBe('TLSv1.3');
    answer.resume();
    const socket = new WebSocket(new URL(LINK_PATH, service.running.url.replace('https', 'wss')), LINK_PROTOCOL, { ca });
    await once(socket, 'open');
    socket.terminate();
  });

  it('speaks no older TLS', async () => {
    const socket = connect({ port: Number(new URL(service.running.url).port), host: '127.0.0.1', ca, maxVersion: 'TLSv1.2' });
    const [error] = await once(socket, 'error');
    expect(String(error.code)).toMatch(/PROTOCOL|ALERT/);
  });

  it('does not start with a key that others may read', async () => {
    chmodSync(join(service.dir, 'key.pem'), 0o644);
    const failed = await startVerifier(service.config).then(() => null, (error: unknown) => error);
    chmodSync(join(service.dir, 'key.pem'), 0o600);
    expect(codeOf(() => { throw failed; })).toBe('config.unreadable');
  });
});
