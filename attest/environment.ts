/** What surrounds an agent: what it may do to the machine, and what the kernel lets others do to it. Pure. */
import { type Finding, finding } from '../src/base/fault.js';
import type { AgentClaims } from '../src/objects/claims.js';

/** Capabilities (capabilities(7)) with which a process owns the machine, and with it what measures it. */
const POWERS: Readonly<Record<string, number>> = { CAP_SYS_MODULE: 16, CAP_SYS_RAWIO: 17, CAP_SYS_PTRACE: 19, CAP_SYS_ADMIN: 21, CAP_BPF: 39 };
/** Taints (admin-guide/tainted-kernels) of code in the kernel that nobody vouched for: forced, out-of-tree, unsigned or live-patched modules. */
const FOREIGN_KERNEL_CODE = (1n << 1n) | (1n << 12n) | (1n << 13n) | (1n << 15n);

/** Where the agent runs. Noted for whoever reads the result; what the process could do with it is seen by the other findings, or named in SECURITY.md. */
export function environmentFindings({ process: { capEff }, kernel }: AgentClaims): Finding[] {
  const held = BigInt(`0x${capEff}`);
  const powers = Object.keys(POWERS).filter((power) => (held >> BigInt(POWERS[power]!)) & 1n);
  const open = [
    kernel.tainted !== null && (BigInt(kernel.tainted) & FOREIGN_KERNEL_CODE) !== 0n ? `foreign kernel code (tainted ${kernel.tainted})` : '',
    kernel.lockdown === 'integrity' || kernel.lockdown === 'confidentiality' ? '' : 'no lockdown',
    kernel.ptraceScope === null || kernel.ptraceScope === 0 ? 'any process of the user may trace it' : '',
    kernel.signedModules === true ? '' : 'unsigned modules are loaded',
  ].filter((what) => what !== '');
  return [
    ...(powers.length > 0 ? [finding('agent.privileged', { what: powers.join(' ') })] : []),
    ...(open.length > 0 ? [finding('agent.host_open', { what: open.join(', ') })] : []),
  ];
}
