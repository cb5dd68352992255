/** A street of payees, each speaking one protocol, and a real sidecar, verifier and software TPM whose agents may buy there. */
import { appendFile, cp, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMandate, fundCarrier, putCarrier, showCarrier } from '../../../cli/actions.js';
import { build } from '../../../cli/commands/manifest.js';
import { Process } from '../../../cli/demo/processes.js';
import { Stage } from '../../../cli/demo/stage.js';
import { loadKey } from '../../../cli/keys.js';
import { AriClient } from '../../../client/index.js';
import { AGENT_MANIFEST } from '../../../src/objects/manifest.js';
import { seal } from '../../../src/objects/signed.js';
import { issueTls } from '../../../verifier/tls.js';
import { AcpFlorist, UcpFlorist } from './checkout.js';
import type { Capture, Payee } from './payee.js';
import { ReportSeller } from './x402.js';

const AGENTS = { buyer: fileURLToPath(new URL('../../../examples/checkout/', import.meta.url)), raw: fileURLToPath(new URL('./agent/', import.meta.url)) };
type AgentName = keyof typeof AGENTS;
const NAMES = Object.keys(AGENTS) as AgentName[];
const idOf = (name: AgentName): string => `com.example.${name}`;

/** What an agent was answered. */
export interface Answer { status: number; headers: Record<string, string>; body: string; problem: { code: string; payment?: { state: string; payment_id: string } } | null }
export interface Bought { status: number; body: Record<string, never>; payment_id: string | null; problem: Answer['problem'] }

export class Market {
  readonly stage: Stage;
  readonly ucp: UcpFlorist;
  readonly acp: AcpFlorist;
  readonly x402: ReportSeller;
  /** A payee that no mandate names. */
  readonly stranger: UcpFlorist;
  client!: AriClient;
  private carrierId!: string;
  private readonly processes = new Map<AgentName, Process>();
  private asked = 0;

  private constructor(stage: Stage, tls: ConstructorParameters<typeof Payee>[0]) {
    this.stage = stage;
    const capture: Capture = ({ token, mandate, closedMandate }, amount) => this.capture(token, mandate, closedMandate, amount);
    [this.ucp, this.acp, this.x402, this.stranger] = [new UcpFlorist(tls, capture), new AcpFlorist(tls, capture), new ReportSeller(tls, capture), new UcpFlorist(tls, capture)];
  }

  get payees(): Payee[] { return [this.ucp, this.acp, this.x402, this.stranger]; }

  static async open(): Promise<Market> {
    const stage = await Stage.open();
    const market = new Market(stage, await issueTls(join(stage.dir, 'shops'), ['localhost'], Date.now()));
    for (const payee of market.payees) await payee.start();
    await stage.startTpm();
    await stage.startVerifier();
    await stage.createUser();
    await stage.startSidecar();
    for (const name of NAMES) await market.publish(name);
    await appendFile(stage.sidecarConfig, `\n[proxy]\nca_file = "${join(stage.dir, 'shops', 'ca.pem')}"\nloopback = true\n`);
    await stage.sidecar.stop();
    await stage.restartSidecar();
    await market.authorise();
    return market;
  }

  private async publish(name: AgentName): Promise<void> {
    const root = join(this.stage.dir, name);
    await cp(AGENTS[name], root, { recursive: true });
    const built = await build(root, { id: idOf(name), version: '1.0.0', publisher: 'example.com', entry: 'agent.mjs', runtime: 'node', interpreter: process.execPath, prompts: [], models: [], tools: [], skills: [] });
    await writeFile(`${root}.jwt`, seal(AGENT_MANIFEST, built, loadKey(join(this.stage.dir, 'publisher.jwk'), 'publisher')));
    await appendFile(this.stage.sidecarConfig, `\n[[agents.allow]]\nid = "${idOf(name)}"\nmanifest_file = "${root}.jwt"\nroot = "${root}"\n`);
  }

  private async authorise(): Promise<void> {
    const { api, user } = this.stage;
    const now = Math.floor(Date.now() / 1000);
    const payees = [this.ucp, this.acp, this.x402].map(({ origin }, at) => ({ id: ['florist', 'flower-stall', 'reports'][at]!, origin, scenario: 'gift.flowers' }));
    this.carrierId = await putCarrier(api, user, {
      currency: 'CNY', agents: NAMES.map(idOf),
      rules: {
        perPaymentMax: 20_000n, totalMax: 1_000_000n, windows: [{ period: 'P1D', max: 1_000_000n, count: 1000 }], scenarios: ['gift.flowers'], payees, notBefore: now - 5, notAfter: now + 86_400,
        hours: { tz: 'UTC', from: '00:00', to: '24:00' }, levels: ['L2', 'L3', 'L4'], minTier: 'T2', confirmAbove: 15_000n, offline: null,
      },
    });
    await fundCarrier(api, this.carrierId, 1_000_000n);
    this.client = new AriClient({ socket: this.stage.socket });
    const { deviceId } = await this.client.status();
    for (const name of NAMES) {
      await createMandate(api, user, { deviceId: deviceId ?? '', agentId: idOf(name), carrierId: this.carrierId, level: 'L3', summary: 'flowers', maxAmount: 20_000n, payees: [], taskId: 'birthday', maxPayments: 1000, lifeS: 3600 });
    }
    await this.mandated();
  }

  private mandated(): Promise<void> {
    return this.stage.sidecar.until(async () => (await this.client.status()).agents.filter(({ mandates }) => mandates > 0).length >= NAMES.length);
  }

  /** On the state that it has. */
  async restartSidecar(): Promise<void> {
    await this.stage.restartSidecar();
    await this.mandated();
  }

  /** What is reserved and spent, minor units. */
  async ledger(): Promise<{ reserved: number; spent: number }> {
    const view = await showCarrier(this.stage.api, this.carrierId);
    return { reserved: Number(view['reserved']), spent: Number(view['spent']) };
  }

  private async capture(token: string, mandate: string, closedMandate: string, amount: number): Promise<{ status: number; state: string | null }> {
    const response = await fetch(`${this.stage.url}/v1/payment/redemptions`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ token, amount, mandate, closed_mandate: closedMandate }) });
    const { state } = (await response.json()) as { state?: string };
    return { status: response.status, state: state ?? null };
  }

  private process(name: AgentName): Process {
    const process_ = this.processes.get(name) ?? new Process(name, process.execPath, [join(this.stage.dir, name, 'agent.mjs'), this.stage.socket]);
    this.processes.set(name, process_);
    return process_;
  }

  /** Lets the agent of the examples buy. */
  async buy(purchase: { protocol: string; host: string; item: string; key: string; task?: string; id?: string }): Promise<Bought> {
    return JSON.parse(await this.process('buyer').ask(JSON.stringify({ task: 'birthday', ...purchase }))) as Bought;
  }

  /** Lets an agent write these bytes. Answers as they come, one at a time. */
  async write(text: string | Buffer): Promise<Buffer> {
    const { bytes } = JSON.parse(await this.process('raw').ask(JSON.stringify({ id: ++this.asked, bytes: Buffer.from(text).toString('base64') }))) as { bytes: string };
    return Buffer.from(bytes, 'base64');
  }

  /** A request of the agent that writes bytes, on a connection that ends with it. */
  async send(method: string, url: string, headers: Record<string, string> = {}, body = ''): Promise<Answer> {
    const all = { host: 'ari', ...headers, ...(body === '' && method === 'GET' ? {} : { 'content-length': String(Buffer.byteLength(body)) }), connection: 'close' };
    const text = `${method} ${url} HTTP/1.1\r\n${Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`;
    return parsed((await this.write(text)).toString());
  }

  async close(): Promise<void> {
    for (const one of this.processes.values()) await one.stop('SIGKILL');
    this.client.close();
    for (const payee of this.payees) await payee.stop();
    await this.stage.close();
  }
}

export function parsed(text: string): Answer {
  const [head = '', ...rest] = text.split('\r\n\r\n');
  const [line = '', ...fields] = head.split('\r\n');
  const headers = Object.fromEntries(fields.map((field) => [field.slice(0, field.indexOf(':')).toLowerCase(), field.slice(field.indexOf(':') + 1).trim()]));
  const body = rest.join('\r\n\r\n');
  const problem = headers['ari-problem'] ?? (headers['content-type'] === 'application/problem+json' ? body : null);
  return { status: Number(line.split(' ')[1]), headers, body, problem: problem === null ? null : JSON.parse(problem) as Answer['problem'] };
}
