/**
 * The sidecar process: joins the rooms and keeps them alive. TPM or verifier trouble lowers what it can do and is said in its status; it never ends it.
 */
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import type { StatusView } from '../src/agentapi.js';
import { asFault } from '../src/base/fault.js';
import { open } from '../src/objects/signed.js';
import type { VerifierMessage } from '../src/link.js';
import { DECISION, POLICY } from '../src/objects/decision.js';
import { lower, TIERS } from '../src/names.js';
import { BUILD, VERSION } from '../src/version.js';
import { loadAgents } from './agents.js';
import { type DaemonConfig, ENROL_CODE_FILE } from './config.js';
import { type Door, openDoor } from './door/door.js';
import { tell } from './door/serve.js';
import { openJournal } from './journal/journal.js';
import { Launches } from './launch/launches.js';
import { Session } from './link/session.js';
import { connectLink } from './link/socket.js';
import { Lives } from './lives.js';
import { Allowances } from './pay/allowances.js';
import { Book, isOpen, isWaiting, viewOf } from './pay/book.js';
import { bundleOf } from './pay/bundle.js';
import { keepManifests } from './pay/manifests.js';
import { Offline } from './pay/offline.js';
import { payOrder } from './pay/ordered.js';
import { executed, pay, type Ports, resume, ruled } from './pay/pay.js';
import { Wallet } from './pay/wallet.js';
import type { Agent, AgentApi } from './ports.js';
import { keepRecovering } from './recovering.js';
import type { Way } from './proxy/exchange.js';
import { openProxy } from './proxy/proxy.js';
import { removeCopies } from './tpm/listcopy.js';
import { openProver } from './tpm/prover.js';
import type { Fact, Log, Prover } from './tpm/types.js';
import { loadTrust, readText } from './trust.js';

/** How often it is looked whether an offline allowance is half over. */
const RENEW_MS = 600_000;
/** A connected verifier that could not take what was paid offline is asked again after this. */
const SETTLE_AGAIN_MS = 5_000;
/** What happened to agents is shown to the verifier after this, together: unless a payment shows it first. */
const SHOW_MS = 1_000;
/** What is under way when the sidecar is to end may go on for so long; then there is no verifier for it any more, and its agent is told what the journal says. */
const PATIENCE_MS = 3_000;

export interface Daemon { status(): StatusView; doctor(): Promise<Fact[]>; close(): Promise<void> }

export async function startDaemon(config: DaemonConfig, log: Log): Promise<Daemon> {
  mkdirSync(config.state.dir, { recursive: true, mode: 0o700 });
  const trust = loadTrust(config.verifier.keysFile);
  const agents = loadAgents(config.agents.allow, trust.keys);
  const prover = await openProver({ ...config.tpm, stateDir: config.state.dir }, log);
  const launches = new Launches();
  const show = soon(() => { session.showLog().catch((error: unknown) => log.warn({ code: asFault(error).code }, asFault(error).message)); });
  const lives = new Lives({ log: (from) => prover.log(from), append: (kind, data) => prover.append(kind, data).finally(show) }, launches, log);
  const book = await openBook(config.state.dir);
  await keepManifests(config.state.dir, agents, [...book.all()].map(({ manifestSha256 }) => manifestSha256));
  const wallet = new Wallet(trust, log);
  const ca = config.verifier.caFile === undefined ? undefined : readText(config.verifier.caFile);
  const codeFile = join(config.state.dir, ENROL_CODE_FILE);
  const allowances = await Allowances.open(join(config.state.dir, 'offline.json'), trust, log);
  const offline: Offline = new Offline(allowances, trust.aud, () => ports);
  const settleUp = (connected = false): void => {
    offline.settleUp(connected).catch((error: unknown) => {
      log.warn({ code: asFault(error).code }, asFault(error).message);
      if (session.state === 'ready') setTimeout(() => settleUp(), SETTLE_AGAIN_MS).unref();
    });
  };
  const session = new Session({
    prover, log, aud: trust.aud,
    connect: (onMessage) => connectLink(config.verifier.url, ca, onMessage),
    hello: async () => ({
      build: BUILD, akName: prover.akName, tier: prover.tier, reason: prover.reason,
      agents: await Promise.all(agents.map(async ({ id, manifest }) => ({ agentId: id, manifestSha256: manifest.sha256, jwk: (await prover.agentKey(id)).jwk }))),
    }),
    manifest: (manifestSha256) => agents.find(({ manifest }) => manifest.sha256 === manifestSha256)?.manifest.token,
    openPolicy: (token) => open(POLICY, token, trust.keys),
    enrolCode: () => { try { return readFileSync(codeFile, 'utf8').trim(); } catch { return null; } },
    usedEnrolCode: () => rmSync(codeFile, { force: true }),
    onMessage: (message) => { hear(message, ports).catch((error: unknown) => log.warn({ code: asFault(error).code }, asFault(error).message)); },
    onReady: () => {
      settle();
      for (const payment of book.all()) if (isOpen(payment.state) && payment.state !== 'received' && !isWaiting(payment)) void resume(payment, ports);
      settleUp(true);
    },
  });
  const ports: Ports = {
    book, wallet, session, prover, offline, nowMs: Date.now, random: randomBytes,
    openDecision: (token) => open(DECISION, token, trust.keys),
    measure: (peer, agent) => lives.measure(peer, agent),
  };
  const settle = (): void => { lives.settle().catch((error: unknown) => log.warn({ code: asFault(error).code }, asFault(error).message)); };
  settle();
  const status = (): StatusView => statusOf({ config, prover, session, wallet, book, agents, offline }, keys);
  const keys = new Map(await Promise.all(agents.map(async ({ id }) => [id, (await prover.agentKey(id)).jwk] as const)));
  const proxied = openProxy({ order: (peer, agent, order, key) => payOrder(peer, agent, order, key, ports), payeeAt: (agent, origin) => wallet.payeeAt(agent, origin) }, wayOf(config.proxy), (error, pid) => tell(log, error, pid));
  const door: Door = await openDoor({ ...config.agents, limits: config.limits, agents, launches, api: { ...apiOf(ports, lives, config.state.dir, status), proxied }, log });
  const running = session.run();
  const recovering = keepRecovering(prover, () => session.again(), log);
  const renewing = setInterval(() => { if (offline.isStale()) session.again(); }, RENEW_MS);
  log.info({ tier: prover.tier, reason: prover.reason, socket: config.agents.socket }, 'the sidecar is ready');
  return {
    status,
    doctor: () => prover.doctor(),
    async close() {
      recovering.stop();
      clearInterval(renewing);
      const impatient = setTimeout(() => { session.stop(); book.release(); }, PATIENCE_MS);
      await door.close();
      clearTimeout(impatient);
      launches.close();
      lives.close();
      session.stop();
      await running;
      await book.close();
      await prover.close();
    },
  };
}

/** The book from its journal, written anew without what is past its time: the journal does not grow with history. */
async function openBook(dir: string): Promise<Book> {
  const file = join(dir, 'payments.journal');
  const old = await openJournal(file);
  await old.journal.close();
  const known = Book.replay(old.records, Date.now());
  const fresh = `${file}.new`;
  rmSync(fresh, { force: true });
  const { journal } = await openJournal(fresh);
  for (const payment of known) await journal.append(Book.line(payment));
  await rename(fresh, file);
  removeCopies(dir, new Set(known.flatMap(({ proof }) => proof?.list?.file ?? [])));
  return new Book(journal, known);
}

const wayOf = ({ caFile, loopback }: DaemonConfig['proxy']): Way => ({ ca: caFile === undefined ? [] : [...rootCertificates, readText(caFile)], loopback });

/** What the verifier says on its own account. */
async function hear(message: VerifierMessage, on: Ports): Promise<void> {
  switch (message.type) {
    case 'mandates': {
      on.wallet.replace(message.body);
      if (on.session.state === 'ready') await on.offline.settleUp(false);
      return;
    }
    case 'revoked': {
      on.wallet.drop(message.body.subject);
      return on.offline.settleUp(false);
    }
    case 'confirmed': {
      const payment = on.book.get(message.body.paymentId);
      if (payment?.state === 'confirm_required') await on.book.write(payment, { confirmed: true });
      return;
    }
    case 'decision': {
      const payment = on.book.get(message.body.paymentId);
      if (payment && isOpen(payment.state)) await ruled(payment, message.body, on);
      return;
    }
    case 'execution': {
      const payment = on.book.get(message.body.paymentId);
      if (payment) await executed(payment, message.body, on);
      return;
    }
    default: return;
  }
}

function apiOf(ports: Ports, lives: Lives, stateDir: string, status: () => StatusView): Omit<AgentApi, 'proxied'> {
  const own = (agent: Agent, paymentId: string) => { const p = ports.book.get(paymentId); return p?.agentId === agent.id ? p : null; };
  return {
    met: (peer, agent) => lives.met(peer, agent),
    launched: (peer, agent, measured) => lives.launched(peer, agent, measured),
    pay: async (peer, agent, request, idempotencyKey) => viewOf(await pay({ peer, agent, request, idempotencyKey }, ports)),
    payment: (agent, paymentId) => { const p = own(agent, paymentId); return p && viewOf(p); },
    bundle: (agent, paymentId) => { const p = own(agent, paymentId); return p && bundleOf(p, stateDir); },
    subscribe: (agent, listener) => ports.book.subscribe(agent.id, listener),
    status,
  };
}

interface Standing { config: DaemonConfig; prover: Prover; session: Session; wallet: Wallet; book: Book; agents: Agent[]; offline: Offline }

function statusOf({ config, prover, session, wallet, book, agents, offline }: Standing, keys: Map<string, StatusView['agents'][number]['jwk']>): StatusView {
  const payments: StatusView['payments'] = {};
  for (const { state } of book.all()) payments[state] = (payments[state] ?? 0) + 1;
  return {
    version: VERSION, tier: lower(TIERS, session.welcome?.tier ?? prover.tier, prover.tier), reason: prover.reason ?? session.problem?.message ?? null,
    deviceId: session.welcome?.deviceId ?? null,
    verifier: { url: config.verifier.url, connected: session.state === 'ready' },
    tpm: { channel: config.tpm.channel, state: prover.fault ?? 'ready' },
    agents: agents.flatMap(({ id, manifest }) => { const jwk = keys.get(id); return jwk ? [{ agentId: id, version: manifest.value.agent.version, manifestSha256: manifest.sha256, jwk, mandates: wallet.count(id), ...(wallet.isRevoked(manifest.sha256) && { revoked: true as const }), allowances: offline.leftOf(id) }] : []; }),
    payments,
  };
}

/** Work that is wanted now and may be wanted often: done once, a moment later. */
function soon(work: () => void): () => void {
  let timer: NodeJS.Timeout | null = null;
  return () => {
    timer ??= setTimeout(() => {
      timer = null;
      work();
    }, SHOW_MS).unref();
  };
}
