/**
 * What an operator asks of the surroundings of an agent: of the kernel that keeps others out of its process, and of what the process itself may do. Each
 * row names a fact that was measured and what it weighs when it does not hold. What is named and was not measured, or only told by the process itself
 * (the names of its environment, in attach mode), does not hold.
 */
import { z } from 'zod';
import { type Of, name, record, text } from '../base/shape.js';
import { LOCKDOWNS } from './claims.js';

/** From told to refused. `tier`: the payment counts for T2 at most, whatever the platform proved. `warning`: the user confirms. `contraindicated`: no payment. */
export const WEIGHTS = ['note', 'tier', 'warning', 'contraindicated'] as const;
export type Weight = (typeof WEIGHTS)[number];

/** capabilities(7), by the number of its bit. */
export const CAPABILITY_BITS = [
  'CAP_CHOWN', 'CAP_DAC_OVERRIDE', 'CAP_DAC_READ_SEARCH', 'CAP_FOWNER', 'CAP_FSETID', 'CAP_KILL', 'CAP_SETGID', 'CAP_SETUID', 'CAP_SETPCAP', 'CAP_LINUX_IMMUTABLE', 'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST', 'CAP_NET_ADMIN', 'CAP_NET_RAW', 'CAP_IPC_LOCK', 'CAP_IPC_OWNER', 'CAP_SYS_MODULE', 'CAP_SYS_RAWIO', 'CAP_SYS_CHROOT', 'CAP_SYS_PTRACE', 'CAP_SYS_PACCT', 'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT', 'CAP_SYS_NICE', 'CAP_SYS_RESOURCE', 'CAP_SYS_TIME', 'CAP_SYS_TTY_CONFIG', 'CAP_MKNOD', 'CAP_LEASE', 'CAP_AUDIT_WRITE', 'CAP_AUDIT_CONTROL', 'CAP_SETFCAP', 'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN', 'CAP_SYSLOG', 'CAP_WAKE_ALARM', 'CAP_BLOCK_SUSPEND', 'CAP_AUDIT_READ', 'CAP_PERFMON', 'CAP_BPF', 'CAP_CHECKPOINT_RESTORE',
] as const;
/** admin-guide/tainted-kernels, by the number of its bit. */
export const TAINTS = ['P', 'F', 'S', 'R', 'M', 'B', 'U', 'D', 'A', 'W', 'C', 'I', 'O', 'E', 'L', 'K', 'X', 'T', 'N'] as const;

const otherwise = z.enum(WEIGHTS);

export const environmentPolicy = record({
  /** Yama's `kernel.yama.ptrace_scope`, at least. */
  ptraceScope: record({ min: z.int().min(1).max(3), otherwise }).optional(),
  /** `/sys/kernel/security/lockdown`, at least. */
  lockdown: record({ min: z.enum(LOCKDOWNS).exclude(['none']), otherwise }).optional(),
  /** The kernel loads signed modules only (`module.sig_enforce`, or lockdown). */
  signedModules: record({ otherwise }).optional(),
  /** The kernel is tainted by nothing else. */
  tainted: record({ allowed: z.array(z.enum(TAINTS)).max(32), otherwise }).optional(),
  /** The agent holds no other effective capability. */
  capabilities: record({ allowed: z.array(z.enum(CAPABILITY_BITS)).max(64), otherwise }).optional(),
  /** The agent can gain no privilege by exec (PR_SET_NO_NEW_PRIVS). */
  noNewPrivs: record({ otherwise }).optional(),
  /** The agent runs under a seccomp filter, or in its strict mode. */
  seccomp: record({ otherwise }).optional(),
  /** The agent runs in one of these units of systemd. A unit of a user's own manager is named with that manager: `user@1000.service/agent.service`. */
  unit: record({ allowed: z.array(text(512)).max(64), otherwise }).optional(),
  /** The environment holds no other names. Only a launched agent can satisfy it. */
  variables: record({ allowed: z.array(name(256)).max(128), otherwise }).optional(),
});
export type EnvironmentPolicy = Of<typeof environmentPolicy>;

const withoutTaints = (...left: readonly (typeof TAINTS)[number][]): (typeof TAINTS)[number][] => TAINTS.filter((taint) => !left.includes(taint));
/** Capabilities with which a process owns the machine, and with it what measures it. */
const POWERS: readonly string[] = ['CAP_SYS_MODULE', 'CAP_SYS_RAWIO', 'CAP_SYS_PTRACE', 'CAP_SYS_ADMIN', 'CAP_BPF', 'CAP_SETUID', 'CAP_DAC_OVERRIDE'];

export type EnvironmentName = 'none' | 'production' | 'strict';
/**
 * The tables that are shipped. `production`: an ordinary machine with Yama passes; an open kernel is no T3, for its root could change what IMA measured.
 * Forced, out-of-tree, unsigned and live-patched code in the kernel (F, O, E, K) is code that nobody vouched for.
 */
export const ENVIRONMENTS: Readonly<Record<EnvironmentName, EnvironmentPolicy>> = {
  none: {},
  production: {
    ptraceScope: { min: 1, otherwise: 'warning' },
    lockdown: { min: 'integrity', otherwise: 'tier' },
    signedModules: { otherwise: 'tier' },
    tainted: { allowed: withoutTaints('F', 'O', 'E', 'K'), otherwise: 'tier' },
    capabilities: { allowed: CAPABILITY_BITS.filter((one) => !POWERS.includes(one)), otherwise: 'warning' },
    noNewPrivs: { otherwise: 'note' },
    seccomp: { otherwise: 'note' },
  },
  strict: {
    ptraceScope: { min: 2, otherwise: 'contraindicated' },
    lockdown: { min: 'integrity', otherwise: 'contraindicated' },
    signedModules: { otherwise: 'contraindicated' },
    tainted: { allowed: [], otherwise: 'contraindicated' },
    capabilities: { allowed: [], otherwise: 'contraindicated' },
    noNewPrivs: { otherwise: 'contraindicated' },
    seccomp: { otherwise: 'warning' },
  },
};
