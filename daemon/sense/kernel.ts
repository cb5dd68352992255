/** What the kernel of this device says of itself. Null is what it does not say: an older kernel, or one built without it. */
import type { Snapshot } from '../../attest/measure.js';
import { LOCKDOWNS } from '../../src/objects/claims.js';
import { readProc, unlessOwnLack } from './proc.js';

const asked = (path: string): string | null => {
  try {
    return readProc(path).trim();
  } catch (error) {
    return unlessOwnLack(error, null);
  }
};
const numberAt = (path: string): number | null => {
  const said = asked(path);
  return said !== null && /^[0-9]{1,15}$/.test(said) ? Number(said) : null;
};

/** The word in brackets: `none [integrity] confidentiality`. */
export const lockdownOf = (said: string | null): (typeof LOCKDOWNS)[number] | null => LOCKDOWNS.find((word) => said?.includes(`[${word}]`)) ?? null;

/** What only changes with a boot is asked once. */
let fixed: Pick<Snapshot['kernel'], 'signedModules'> | undefined;

export function senseKernel(): Snapshot['kernel'] {
  fixed ??= { signedModules: { Y: true, N: false }[asked('/sys/module/module/parameters/sig_enforce') ?? ''] ?? null };
  const scope = numberAt('/proc/sys/kernel/yama/ptrace_scope');
  return { ...fixed, tainted: numberAt('/proc/sys/kernel/tainted'), lockdown: lockdownOf(asked('/sys/kernel/security/lockdown')), ptraceScope: scope !== null && scope <= 3 ? scope : null };
}
