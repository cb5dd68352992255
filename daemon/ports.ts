/** The walls between the rooms of the daemon: who asks, for which agent, and what the door may call. */
import type { AgentEvent, PaymentView, StatusView } from '../src/agentapi.js';
import type { Sha256 } from '../src/base/bytes.js';
import type { Money } from '../src/money.js';
import type { Intent, Payee, PaymentRequest } from '../src/objects/intent.js';
import type { AgentManifest } from '../src/objects/manifest.js';
import type { Answered, Asked, Presented } from '../src/protocols/index.js';
import type { Verified } from '../src/objects/signed.js';

/** An agent that the operator allowed. `root` is the absolute path its manifest's files stand below; `uid` null means any user. `launchOnly`: it is known only where it was launched. */
export interface Agent { readonly id: string; readonly manifest: Verified<AgentManifest>; readonly root: string; readonly uid: number | null; readonly launchOnly?: boolean }

/**
 * The process at the other end of a connection, as the kernel named it when it connected.
 *
 * `proc` is the path of its /proc directory through a held descriptor: what is read below it is of this process or fails, also after the pid
 * was given to another one.
 */
export interface Peer {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  readonly proc: string;
  /** Start time in clock ticks since boot: field 22 of /proc/PID/stat. */
  readonly startTicks: string;
  readonly exe: { readonly dev: string; readonly ino: string; readonly path: string };
  /** @throws Fault peer.gone, peer.pid_reused, peer.exec_changed (another program, or the same one started anew) */
  stillThere(): void;
  /** The next exec is awaited: the program that it starts is the one that must be there from then on. */
  expectExec(): void;
  /** Whether both are one process that runs one program, not started anew in between. */
  isSame(other: Peer): boolean;
  /** The same process, held on its own. @throws Fault peer.gone */
  again(): Peer;
  /** Calls back once when the process ends. @returns what ends the waiting; close it before the peer */
  onExit(ended: () => void): { close(): void };
  /** Releases the descriptors. The peer must not be used after it. */
  close(): void;
}

/** What was measured of an agent before its first instruction. */
export interface Measured { readonly exeSha256: Sha256; readonly treeSha256: Sha256 }

/** An order of another payment protocol, in the words of its payee: nothing of it but `request` and the names of task and mandate is the agent's. */
export interface PayeeOrder {
  readonly protocol: Intent['protocol'];
  readonly grade: 'A' | 'B';
  readonly payee: Payee;
  readonly amount: Money;
  readonly ref: string;
  readonly termsSha256: Sha256;
  /** Whether the payee takes a payment for it now; a payment that was begun is answered all the same. */
  readonly isReady: boolean;
  readonly request: NonNullable<Intent['request']>;
  /** What a repeated idempotency key must repeat. */
  readonly requestSha256: Sha256;
  /** Seconds; what is reserved waits so long for the payee's capture. */
  readonly captureUntil: number;
  /** Of the order, s. */
  readonly expiresAt: number | null;
  readonly taskId: string | null;
  readonly mandateId: string | null;
}
/** The payment of such an order. `presented`: what its payee captures with; null while, or because, it is not permitted. */
export interface Ordered { readonly view: PaymentView; readonly agreed: { readonly sha256: Sha256; readonly amount: Money }; readonly presented: Presented | null }

/** One request of an agent for a payee; `url` names protocol, host and path. `admit` is asked before a payment is begun, and may throw. */
export interface Proxied { readonly peer: Peer; readonly agent: Agent; readonly url: string; readonly request: Omit<Asked, 'path'>; readonly admit: () => void }

/**
 * What the door calls. `pay` answers a view for every outcome that was decided, also a denial, and throws a fault for what could not be put
 * forward; the same key with the same request answers the same payment, with another request it throws intake.idempotency_conflict.
 * `met` is told of every process that was found to be an agent, before it is answered; `launched` of one that waits to become it.
 * An agent sees only its own payments: null for those of others. `subscribe` answers the function that ends the subscription.
 */
export interface AgentApi {
  met(peer: Peer, agent: Agent): Promise<void>;
  launched(peer: Peer, agent: Agent, measured: Measured): Promise<void>;
  pay(peer: Peer, agent: Agent, request: PaymentRequest, idempotencyKey: string): Promise<PaymentView>;
  /** A request of another payment protocol: the payee's answer, or a refusal in that protocol's words. @throws Fault intake.protocol, intake.target */
  proxied(proxied: Proxied): Promise<Answered>;
  payment(agent: Agent, paymentId: string): PaymentView | null;
  bundle(agent: Agent, paymentId: string): string | null;
  status(): StatusView;
  subscribe(agent: Agent, listener: (event: AgentEvent) => void): () => void;
}
