/** A verifier in a directory of its own, on a free port of this machine, with the operator's and a user's side of its API. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { newId } from '../../../src/base/id.js';
import type { Json } from '../../../src/base/json.js';
import type { Signer } from '../../../src/base/jws.js';
import { stringify } from '../../../src/base/shape.js';
import type { IdPrefix } from '../../../src/names.js';
import type { Policy } from '../../../src/objects/decision.js';
import { parseTrust, type Trust, trustFile } from '../../../src/objects/trust.js';
import { loadConfig, placeOf, type VerifierConfig } from '../../../verifier/config.js';
import { initVerifier } from '../../../verifier/init.js';
import { kidOf } from '../../../verifier/keys.js';
import { type RunningVerifier, startVerifier, type VerifierDeps } from '../../../verifier/main.js';
import { openStore } from '../../../verifier/store/store.js';
import type { Store } from '../../../verifier/store/verbs.js';
import { published } from '../../../verifier/trust.js';
import { testSigner } from '../../support/keys.js';

/** This verifier's audience: what the test device binds to. */
export const ISSUER = 'https://verifier.example';
export const freshId = (prefix: IdPrefix): string => newId(prefix, Date.now(), randomBytes(10));

/** A signer whose kid is the one that its registration gives. */
export const withKid = (role: 'user' | 'publisher', name: string): Signer => {
  const signer = testSigner(name);
  return { ...signer, kid: kidOf(role, signer.jwk) };
};

const TOML = `
issuer = "${ISSUER}"
listen = "127.0.0.1:0"
store = { path = "verifier.db" }
keys = { dir = "keys" }
trust = { test_roots = ["test-root.pem"], publishers = "publishers.json", policy_file = "policy.jwt" }
api = { admin_token_file = "admin.token" }
`;

export interface Answer { status: number; body: any; text: string }

export class TestService {
  readonly dir: string;
  readonly config: VerifierConfig;
  running!: RunningVerifier;

  constructor({ rootPem = '', policy = {}, publishers = [], files = {}, toml = '', witnesses = [] }: { rootPem?: string; policy?: Partial<Policy>; publishers?: Signer[]; files?: Record<string, string>; toml?: string; witnesses?: string[] } = {}) {
    this.dir = mkdtempSync(join(tmpdir(), 'ari-verifier-'));
    writeFileSync(join(this.dir, 'verifier.toml'), (rootPem === '' ? TOML.replace('test_roots = ["test-root.pem"], ', '') : TOML) + `deposit = { origin = "log.verifier.example", witnesses = ${JSON.stringify(witnesses)} }\n${toml}`);
    for (const [name, text] of Object.entries({ ...files, 'test-root.pem': rootPem })) writeFileSync(join(this.dir, name), text, { mode: 0o600 });
    const keys = publishers.map(({ kid, jwk }) => published('publisher', 'publisher.example', kid, jwk));
    writeFileSync(join(this.dir, 'publishers.json'), stringify(trustFile, { keys, ariLogs: [] }));
    this.config = loadConfig(join(this.dir, 'verifier.toml'));
    initVerifier(this.config, policy);
  }

  async start(deps: VerifierDeps = {}): Promise<this> {
    this.running = await startVerifier(this.config, { logger: pino({ level: 'silent' }), ...deps });
    return this;
  }

  /** The same files, a new process. */
  async restart(deps: VerifierDeps = {}): Promise<this> {
    await this.running.close();
    return this.start(deps);
  }

  async stop(): Promise<void> {
    await this.running.close();
    rmSync(this.dir, { recursive: true, force: true });
  }

  get linkUrl(): string {
    return this.running.url.replace('http', 'ws');
  }

  get adminToken(): string {
    return readFileSync(join(this.dir, 'admin.token'), 'utf8').trim();
  }

  /** A second connection to the same database, as another verifier process has it. */
  store(): Promise<Store> {
    return openStore(placeOf(this.config));
  }

  async call(method: string, path: string, { body, headers = {}, admin = true }: { body?: Json | string; headers?: Record<string, string>; admin?: boolean } = {}): Promise<Answer> {
    const response = await fetch(new URL(path, this.running.url), {
      method, headers: { ...(admin ? { authorization: `Bearer ${this.adminToken}` } : {}), ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...headers },
      ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    return { status: response.status, body: isJson ? JSON.parse(text) : undefined, text };
  }

  async post(path: string, body: Json): Promise<any> {
    const answer = await this.call('POST', path, { body });
    if (answer.status >= 300) throw new Error(`${path}: ${answer.text}`);
    return answer.body;
  }

  async get(path: string): Promise<any> {
    const answer = await this.call('GET', path);
    if (answer.status >= 300) throw new Error(`${path}: ${answer.text}`);
    return answer.body;
  }

  async trust(): Promise<Trust> {
    return parseTrust((await this.call('GET', '/.well-known/jwks.json')).text);
  }

  /** A registered user, with a key. */
  async user(name: string): Promise<{ userId: string; signer: Signer }> {
    const { user_id: userId } = await this.post('/v1/delegation/users', { kind: 'person' });
    const signer = withKid('user', name);
    await this.post(`/v1/delegation/users/${userId}/keys`, { jwk: { ...signer.jwk } });
    return { userId, signer };
  }
}
