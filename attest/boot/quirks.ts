/**
 * Known differences between logs and PCRs on honest machines: measurements that firmware or systemd makes and does not log. A quirk only adds events of
 * fixed, harmless content, so that assuming one can hide nothing; and it is named in the result.
 */
import type { HashAlg } from '@ari-sidecar/tpm2';
import { hashWith } from '../hashes.js';

type Measured = (bank: HashAlg) => Buffer;
export interface Quirk {
  readonly name: string;
  readonly pcr: number;
  /** What PCR 0 begins with, although the log does not say so. */
  readonly locality?: number;
  /** Extended after the last event of the log. */
  readonly appended?: readonly Measured[];
}

const text = (words: string): Measured => (bank) => hashWith(bank, Buffer.from(words, 'latin1'));

const INVOCATION = 'Exit Boot Services Invocation';
const SUCCESS = 'Exit Boot Services Returned with Success';
const FAILURE = 'Exit Boot Services Returned with Failure';
/** The words that systemd-pcrphase(8) extends into PCR 11 as the machine comes up. */
export const PHASES = ['enter-initrd', 'leave-initrd', 'sysinit', 'ready'];

/** In the order in which they are tried. */
export const QUIRKS: readonly Quirk[] = [
  ...[3, 4].map((locality) => ({ name: `startup in locality ${locality} not logged`, pcr: 0, locality })),
  ...[[INVOCATION, SUCCESS], [INVOCATION, FAILURE], [SUCCESS]].map((words) => ({ name: `not logged: ${words.join(', ')}`, pcr: 5, appended: words.map(text) })),
  ...[PHASES, PHASES.slice(2)].flatMap((phases) => phases.map((_, i) => ({ name: `systemd phases ${phases.slice(0, i + 1).join(', ')}`, pcr: 11, appended: phases.slice(0, i + 1).map(text) }))),
];
