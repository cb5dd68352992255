/** A sidecar without its door, against a real verifier: prover on a software TPM, session over the real link, wallet, book. And the user of its agent. */
import { mkdir, mkdtemp, rm, writeFile, appendFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PCR_Extend } from '@ari-sidecar/tpm2';
import { extensionOf, parseIma } from '../../attest/ima/index.js';
import { openJournal } from '../../daemon/journal/journal.js';
import { Session } from '../../daemon/link/session.js';
import { connectLink } from '../../daemon/link/socket.js';
import { Allowances } from '../../daemon/pay/allowances.js';
import { Book, type Payment } from '../../daemon/pay/book.js';
import { bundleOf } from '../../daemon/pay/bundle.js';
import { keepManifests } from '../../daemon/pay/manifests.js';
import { Offline } from '../../daemon/pay/offline.js';
import { executed, type Ports, pay } from '../../daemon/pay/pay.js';
import { Wallet } from '../../daemon/pay/wallet.js';
import type { Peer } from '../../daemon/ports.js';
import type { Log, Prover } from '../../daemon/tpm/types.js';
import { sha256 } from '../../src/base/bytes.js';
import { DECISION, POLICY, type Policy } from '../../src/objects/decision.js';
import type { AgentManifest } from '../../src/objects/manifest.js';
import { open, seal } from '../../src/objects/signed.js';
import type { Trust } from '../../src/objects/trust.js';
import { DEFAULT_POLICY } from '../../verifier/init.js';
import { loadKeys } from '../../verifier/keys.js';
import { KERNEL_BOOT, type MadeEntry, agileLog, binaryList, hashOf } from '../attest/support/logs.js';
import { type Bed, startBed } from '../daemon/tpm/bed.js';
import { ISSUER } from '../verifier/support/service.js';
import { TestPayer } from '../verifier/support/payer.js';
import { claimsFor } from './agent.js';

export class Sidecar {
  readonly said: { code?: string }[] = [];
  bed!: Bed;
  payer!: TestPayer;
  trust!: Trust;
  prover!: Prover;
  session!: Session;
  private securityfs!: string;
  private ports!: Ports;
  private code: string | null = null;
  private running: Promise<void> = Promise.resolve();
  private readonly log: Log = { info: () => undefined, warn: (facts) => { this.said.push(facts); } };

  /** A machine that booted with Secure Boot on, a verifier that trusts its TPM, and a user. @param measured what IMA has measured @param manifest of its agent */
  static async start(policy: Partial<Policy>, measured: readonly MadeEntry[], manifest?: AgentManifest): Promise<Sidecar> {
    const sidecar = new Sidecar();
    sidecar.bed = await startBed();
    await sidecar.boot(measured);
    sidecar.payer = await TestPayer.ofSidecar(`${sidecar.bed.swtpm.caRootPem}\n${sidecar.bed.swtpm.caIssuerPem}`, policy, manifest);
    sidecar.trust = await sidecar.payer.service.trust();
    sidecar.code = await sidecar.payer.code();
    await sidecar.begin();
    return sidecar;
  }

  async stop(): Promise<void> {
    await this.end();
    await this.payer.service.stop();
    await this.bed.stop();
    await rm(this.securityfs, { recursive: true });
  }

  /** A power cycle: PCRs, register and the kernel's logs begin anew. */
  async boot(measured: readonly MadeEntry[]): Promise<void> {
    await this.bed.swtpm.reset('clear');
    this.securityfs ??= await mkdtemp(join(tmpdir(), 'securityfs-'));
    for (const folder of ['tpm0', 'ima']) await mkdir(join(this.securityfs, folder), { recursive: true });
    await this.extend(KERNEL_BOOT.map(({ pcr, data = Buffer.alloc(0), measured: what = data }) => ({ pcr, digest: hashOf('sha256', what) })));
    await writeFile(join(this.securityfs, 'tpm0/binary_bios_measurements'), agileLog(KERNEL_BOOT));
    await writeFile(this.list, '');
    await this.measures(measured);
  }

  get list(): string {
    return join(this.securityfs, 'ima/binary_runtime_measurements');
  }

  /** As the kernel: into the list, then into the PCR. */
  async measures(entries: readonly MadeEntry[]): Promise<void> {
    const list = binaryList(entries);
    await appendFile(this.list, list);
    await this.extend(parseIma('ima-binary', list).map((entry) => ({ pcr: 10, digest: extensionOf(entry, 'sha256', 'own') })));
  }

  private async extend(all: readonly { pcr: number; digest: Buffer }[]): Promise<void> {
    await this.bed.stranger(async (tpm) => { for (const { pcr, digest } of all) await tpm.run(PCR_Extend, { pcrHandle: pcr }, { digests: [{ hashAlg: 'sha256', digest }] }); });
  }

  /** A start of the daemon. */
  async begin(): Promise<void> {
    this.prover = await this.bed.open({ securityfs: this.securityfs });
    const { payer, trust, log } = this;
    const wallet = new Wallet(trust, log);
    const book = new Book((await openJournal(join(this.bed.config.stateDir, 'payments.journal'))).journal, []);
    let ready: () => void = () => undefined;
    const isReady = new Promise<void>((resolve) => { ready = resolve; });
    this.session = new Session({
      prover: this.prover, log, aud: ISSUER,
      connect: (onMessage) => connectLink(payer.service.linkUrl, undefined, onMessage),
      hello: async () => ({ build: 'test', akName: this.prover.akName, tier: this.prover.tier, reason: this.prover.reason, agents: [{ agentId: payer.manifest.value.agent.id, manifestSha256: payer.manifest.sha256, jwk: (await this.prover.agentKey(payer.manifest.value.agent.id)).jwk }] }),
      manifest: (manifestSha256) => (manifestSha256 === payer.manifest.sha256 ? payer.manifest.token : undefined),
      openPolicy: (token) => open(POLICY, token, trust.keys),
      enrolCode: () => this.code,
      usedEnrolCode: () => { this.code = null; },
      onMessage: (message) => {
        if (message.type === 'mandates') wallet.replace(message.body);
        const payment = message.type === 'execution' ? book.get(message.body.paymentId) : null;
        if (message.type === 'execution' && payment) void executed(payment, message.body, this.ports);
      },
      onReady: () => ready(),
    });
    const offline = new Offline(await Allowances.open(join(this.bed.config.stateDir, 'offline.json'), trust, log), ISSUER, () => this.ports);
    this.ports = {
      book, wallet, session: this.session, prover: this.prover, offline, nowMs: Date.now, random: randomBytes,
      openDecision: (token) => open(DECISION, token, trust.keys), measure: async () => claimsFor(payer.manifest),
    };
    await keepManifests(this.bed.config.stateDir, [payer], []);
    this.running = this.session.run();
    await isReady;
  }

  async end(): Promise<void> {
    this.session.stop();
    await this.running;
    await this.ports.book.close();
    await this.prover.close();
  }

  async restart(): Promise<void> {
    await this.end();
    await this.begin();
  }

  /** A connection of the same daemon that ended, and the next one. */
  async reconnect(): Promise<void> {
    this.session.again();
    const isReady = (): boolean => this.session.state === 'ready';
    while (isReady()) await sleep(1);
    while (!isReady()) await sleep(5);
  }

  /** A carrier with money in it, and a mandate for this sidecar's agent. */
  async authorise(): Promise<void> {
    const { payer } = this;
    payer.deviceId = this.session.welcome!.deviceId;
    await payer.openCarrier();
    await payer.giveMandate({ cnf: { jwk: (await this.prover.agentKey(payer.manifest.value.agent.id)).jwk } });
    while (this.ports.wallet.count(payer.manifest.value.agent.id) === 0) await sleep(5);
  }

  async pay(idempotencyKey: string = sha256(randomBytes(8))): Promise<Payment> {
    const { manifest } = this.payer;
    const request = { payee: { id: 'merchant_1', origin: 'https://flowers.example', name: 'Demo Flowers' }, amount: { amount: 9900n, currency: 'CNY' }, bound: 'exact' as const, captureUntil: null, scenario: 'gift.flowers', order: { ref: 'order-1', terms: null }, taskId: null, mandateId: null };
    const agent = { id: manifest.value.agent.id, manifest, root: '/', uid: null };
    return pay({ peer: { stillThere: () => undefined } as Peer, agent, request, idempotencyKey }, this.ports);
  }

  /** The operator's next policy. */
  async policy(version: number, changes: Partial<Policy>): Promise<void> {
    const { service } = this.payer;
    const { operator } = loadKeys(service.config.keys.dir, service.config.deposit.origin);
    await service.post('/v1/trust/policy', { policy: seal(POLICY, { iss: ISSUER, iat: Math.floor(Date.now() / 1000), ...DEFAULT_POLICY, allowSimulated: true, ...changes, version }, operator) });
  }

  bundle(payment: Payment): string {
    return bundleOf(payment, this.bed.config.stateDir)!;
  }
}
