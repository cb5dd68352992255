/** Everything in which a boot is not as the policy says. */
import { type Finding, finding } from '../../src/base/fault.js';
import type { Policy } from '../../src/objects/decision.js';
import { judge } from './reference.js';
import { type Booted, ukiDifference } from './uki.js';

/** Of the reference values and of the unified kernel images that the policy names, whatever its stage. */
export function differences({ log, bank, quoted }: Booted, { bootReference, uki }: Pick<Policy, 'bootReference' | 'uki'>): Finding[] {
  const other = uki === undefined ? null : ukiDifference({ log, bank, quoted }, uki, bootReference);
  return [...(bootReference === undefined ? [] : judge(log, bank, quoted, bootReference, 'enforce').wouldFail), ...(other === null ? [] : [finding('boot.uki', { what: other })])];
}
