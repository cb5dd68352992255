/**
 * What a sidecar that is not root needs of the kernel (capabilities(7)), and what it costs to be without. With exactly these an agent of any user is
 * measured as by root. The unit of the service grants them (`AmbientCapabilities=`, `CapabilityBoundingSet=`), `ari doctor` asks for them.
 */
import { connect } from 'node:net';
import { once } from 'node:events';
import { descriptorOf } from './door/peer.js';
import { native } from './native.js';
import type { Fact } from './tpm/types.js';
import { readProc } from './sense/proc.js';
import { effectiveId, statusMember } from './sense/status.js';

export interface Capability {
  readonly name: string;
  /** Of the masks in /proc/PID/status. */
  readonly bit: number;
  /** Why it is wanted, and what follows without it. */
  readonly without: string;
}

export const CAPABILITIES = [
  { name: 'CAP_DAC_READ_SEARCH', bit: 2, without: 'agents of other users are refused, for parts of their /proc are readable to their user alone; boot log and IMA list are not sent, so the tier is T2' },
  { name: 'CAP_SYS_PTRACE', bit: 19, without: 'agents of other users are refused, for nobody else may look into a process' },
  { name: 'CAP_LEASE', bit: 28, without: "nobody can say whether another user's file is open for writing: each file of such an agent is looked at for every payment, instead of none: cost grows with their number" },
  { name: 'CAP_CHECKPOINT_RESTORE', bit: 40, without: 'code that a process maps is found by its path only: on an overlay file system, as of a container, no path leads to it, and an agent there is denied (agent.foreign_mapping)' },
] as const satisfies readonly Capability[];

/** Names in the form of systemd and setpriv lists. */
export const CAPABILITY_NAMES: readonly string[] = CAPABILITIES.map(({ name }) => name);

export interface Held { readonly uid: number; readonly lacking: readonly Capability[] }

/** Of a process: whose it is, and what it lacks of {@link CAPABILITIES}. @throws ErrnoException when there is no such process */
export function heldBy(pid: number | 'self'): Held {
  const status = readProc(`/proc/${pid}/status`);
  const effective = BigInt(`0x${statusMember(status, 'CapEff') || '0'}`);
  return { uid: effectiveId(statusMember(status, 'Uid')), lacking: CAPABILITIES.filter(({ bit }) => ((effective >> BigInt(bit)) & 1n) === 0n) };
}

/** The process that listens on a unix socket, by the kernel's word (SO_PEERCRED); null when nobody does. @throws Fault peer.unidentified */
export async function listenerOn(path: string): Promise<number | null> {
  const socket = connect(path);
  try {
    await once(socket, 'connect');
    return native().peerCredentials(descriptorOf(socket as never)).pid;
  } catch (error) {
    if (error instanceof Error && 'syscall' in error) return null;
    throw error;
  } finally {
    socket.destroy();
  }
}

/** What `ari doctor` says of it: what lacks, and what that costs for these agents. An agent without `uid` may be of any user. */
export function capabilityFacts({ uid, lacking }: Held, agents: readonly { readonly uid?: number | undefined }[]): Fact[] {
  const good = (detail: string): Fact[] => [{ name: 'capabilities', ok: true, detail, fix: null }];
  if (agents.every((agent) => agent.uid === uid)) return good('none is needed: all agents are of the user of the sidecar');
  if (lacking.length === 0) return good(CAPABILITY_NAMES.join(' '));
  return lacking.map(({ name, without }) => ({ name, ok: false, detail: `the sidecar lacks it; ${without}`, fix: `AmbientCapabilities=${name} in its unit, and in CapabilityBoundingSet= where that is set` }));
}
