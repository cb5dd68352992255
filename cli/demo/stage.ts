/**
 * The demo's stage: a software TPM, a verifier, a sidecar and an agent as separate processes in one temporary folder, and a user with a key.
 * Everything that happens on it goes through the same doors as in production. Flow tests stand on it too.
 */
import { cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startSwtpm, type Swtpm } from '@ari-sidecar/tpm2/swtpm';
import { AriClient } from '../../client/index.js';
import { DEMO_POLICY, initVerifier } from '../../verifier/init.js';
import { loadConfig } from '../../verifier/config.js';
import { AGENT_MANIFEST } from '../../src/objects/manifest.js';
import { seal } from '../../src/objects/signed.js';
import type { StatusView } from '../../src/agentapi.js';
import { createUser, enrolCode, fundCarrier, type MandateTerms, createMandate, putCarrier, putPayee, trustPublisher, type User } from '../actions.js';
import { build } from '../commands/manifest.js';
import { fetchKeys, sidecarToml } from '../commands/init.js';
import { verifierToml } from '../commands/verifier.js';
import { type Api, apiOf } from '../http.js';
import { createKey } from '../keys.js';
import { bootFirmware } from './firmware.js';
import { ari, Process } from './processes.js';

export const AGENT_ID = 'com.example.florist';
const FLORIST = fileURLToPath(new URL(import.meta.url.endsWith('.ts') ? '../../examples/florist' : '../../../examples/florist', import.meta.url));

/** What the agent said of one order: the HTTP status, the payment or problem, and the bundle's text when there is one. */
export interface Answer { status: number; body: Record<string, unknown>; bundle: string | null }

export class Stage {
  readonly dir: string;
  readonly socket: string;
  readonly sidecarConfig: string;
  readonly keysFile: string;
  tpm!: Swtpm;
  /** Where the sidecar finds the TPM, when that is not the TPM itself. */
  channel: string | undefined;
  /** Where the sidecar finds the verifier, when that is not the verifier itself. */
  link: string | undefined;
  api!: Api;
  url!: string;
  user!: User;
  carrierId!: string;
  verifier!: Process;
  sidecar!: Process;
  agent!: Process;
  private readonly client: AriClient;

  private constructor(dir: string) {
    this.dir = dir;
    this.socket = join(dir, 'run', 'agent.sock');
    this.sidecarConfig = join(dir, 'sidecar.toml');
    this.keysFile = join(dir, 'verifier-keys.json');
    this.client = new AriClient({ socket: this.socket });
  }

  static async open(): Promise<Stage> {
    return new Stage(await mkdtemp(join(tmpdir(), 'ari-demo-')));
  }

  /** A software TPM with EK certificates for RSA and P-256 keys, below a root of its own. */
  async startTpm(): Promise<void> {
    this.tpm = await startSwtpm({ dir: join(this.dir, 'tpm'), ecCertificate: true });
    await bootFirmware(this.tpm.spec);
    await writeFile(join(this.dir, 'test-root.pem'), this.tpm.caRootPem + this.tpm.caIssuerPem);
  }

  /** The publisher signs what the agent consists of; the verifier trusts that publisher, and the test root of the TPM. `toml`: more of its configuration. */
  async startVerifier(toml = '', storeUrl?: string): Promise<void> {
    const port = await freePort();
    const file = join(this.dir, 'verifier', 'verifier.toml');
    await mkdir(join(this.dir, 'verifier'), { recursive: true });
    await writeFile(file, verifierToml({ issuer: `http://127.0.0.1:${port}`, listen: `127.0.0.1:${port}`, testRoots: [join(this.dir, 'test-root.pem')], storeUrl }) + toml);
    const config = loadConfig(file);
    initVerifier(config, DEMO_POLICY);
    await this.publishAgent(config.trust.publishers);
    this.url = `http://127.0.0.1:${port}`;
    this.api = apiOf({ url: this.url, bearer: (await readFile(config.api.adminTokenFile, 'utf8')).trim() });
    await this.restartVerifier();
  }

  /** Starts the verifier on the store it has. */
  async restartVerifier(): Promise<void> {
    this.verifier = ari('verifier', 'verifier', 'serve', '-c', join(this.dir, 'verifier', 'verifier.toml'), '--log-level', 'warn');
    await this.verifier.until(() => this.api.get('/healthz').then(() => true));
  }

  private async publishAgent(publishers: string): Promise<void> {
    await cp(FLORIST, this.agentDir, { recursive: true });
    const publisher = createKey(join(this.dir, 'publisher.jwk'), 'publisher');
    trustPublisher(publishers, 'example.com', publisher.jwk);
    const manifest = await build(this.agentDir, { id: AGENT_ID, version: '1.0.0', publisher: 'example.com', entry: 'agent.mjs', runtime: 'node', interpreter: process.execPath, prompts: ['prompt.md'], models: [], tools: [], skills: [] });
    await writeFile(join(this.dir, 'manifest.jwt'), `${seal(AGENT_MANIFEST, manifest, publisher)}\n`);
  }

  get agentDir(): string { return join(this.dir, 'agent'); }

  async createUser(): Promise<void> {
    this.user = await createUser(this.api, createKey(join(this.dir, 'user.jwk'), 'user'));
  }

  /** The verifier's public keys as they are now. */
  fetchKeys(): Promise<void> {
    return fetchKeys(this.url, undefined, this.keysFile);
  }

  /** The sidecar with a one-time code: it enrols the TPM at its first connection. */
  async startSidecar(): Promise<StatusView> {
    await this.fetchKeys();
    await mkdir(join(this.dir, 'state'), { recursive: true, mode: 0o700 });
    await writeFile(join(this.dir, 'state', 'enrol-code'), await enrolCode(this.api, this.user.userId), { mode: 0o600 });
    await writeFile(this.sidecarConfig, sidecarToml({
      verifierUrl: this.link ?? this.url, channel: this.channel ?? this.tpm.spec, socket: this.socket, stateDir: join(this.dir, 'state'), keysFile: this.keysFile,
      agents: [{ id: AGENT_ID, manifestFile: join(this.dir, 'manifest.jwt'), root: this.agentDir }],
    }));
    return this.restartSidecar();
  }

  /** Starts the sidecar on the state it has. */
  async restartSidecar(): Promise<StatusView> {
    this.sidecar = ari('sidecar', 'daemon', '-c', this.sidecarConfig);
    await this.sidecar.until(async () => (await this.client.status()).verifier.connected);
    return this.client.status();
  }

  status(): Promise<StatusView> {
    return this.client.status();
  }

  /** A carrier of 1000 CNY: 200 CNY a payment, one florist, L2 to L4; and that florist in the directory. */
  async openCarrier(): Promise<void> {
    const now = Math.floor(Date.now() / 1000);
    await putPayee(this.api, { payeeId: 'florist', origin: 'https://flowers.example', scenario: 'gift.flowers', settleAccount: 'payee:florist' });
    this.carrierId = await putCarrier(this.api, this.user, {
      currency: 'CNY', agents: [AGENT_ID],
      rules: {
        perPaymentMax: 20_000n, totalMax: 100_000n, windows: [{ period: 'P1D', max: 60_000n, count: 100 }], scenarios: ['gift.flowers'],
        payees: [{ id: 'florist', origin: 'https://flowers.example', scenario: 'gift.flowers' }], notBefore: now - 5, notAfter: now + 86_400,
        hours: { tz: 'UTC', from: '00:00', to: '24:00' }, levels: ['L2', 'L3', 'L4'], minTier: 'T2', confirmAbove: 15_000n, offline: null,
      },
    });
    await fundCarrier(this.api, this.carrierId, 100_000n);
  }

  /** The user signs; the mandate is on the device when this resolves. */
  async signMandate(terms: Partial<MandateTerms>): Promise<string> {
    const { deviceId, agents: [before] } = await this.client.status();
    const mandateId = await createMandate(this.api, this.user, {
      deviceId: deviceId ?? '', agentId: AGENT_ID, carrierId: this.carrierId, level: 'L3', summary: 'a bouquet for a friend, at most 200 yuan', maxAmount: 20_000n,
      payees: ['florist'], taskId: 'birthday', maxPayments: 5, lifeS: 3600, ...terms,
    });
    await this.sidecar.until(async () => ((await this.client.status()).agents[0]?.mandates ?? 0) > (before?.mandates ?? 0));
    return mandateId;
  }

  startAgent(): void {
    this.agent = new Process('agent', process.execPath, [join(this.agentDir, 'agent.mjs'), this.socket]);
  }

  /** Lets the agent order; amounts in minor units of CNY. */
  async order(order: { key: string; amount: number; payee?: string; mandateId?: string }): Promise<Answer> {
    const answer = await this.agent.ask(JSON.stringify({
      key: order.key, payee: { id: order.payee ?? 'florist', origin: 'https://flowers.example' }, amount: { amount: order.amount, currency: 'CNY' },
      order: { ref: order.key }, task_id: 'birthday', scenario: 'gift.flowers', ...(order.mandateId === undefined ? {} : { mandate_id: order.mandateId }),
    }));
    return JSON.parse(answer) as Answer;
  }

  /** Ends every process and removes the folder. */
  async close(): Promise<void> {
    this.client.close();
    for (const process of [this.agent, this.sidecar, this.verifier]) await (process as Process | undefined)?.stop();
    await (this.tpm as Swtpm | undefined)?.stop();
    await rm(this.dir, { recursive: true, force: true });
  }
}

function freePort(): Promise<number> {
  return new Promise((done, fail) => {
    const listener = createServer().once('error', fail).listen(0, '127.0.0.1', () => {
      const { port } = listener.address() as { port: number };
      listener.close(() => done(port));
    });
  });
}
