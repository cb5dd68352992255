/** The platform part of evidence: quote, register and counter over one binding. Made in the background, on a nonce of its own. */
import { Attest, Quote, type Tpm, decode, selectPcrs } from '@ari-sidecar/tpm2';
import { createHash } from 'node:crypto';
import { fault } from '../../src/base/fault.js';
import { type PlatformBinding, type PlatformEvidence, platformQualifyingData } from '../../src/objects/evidence.js';
import type { Counter } from './counter.js';
import type { Identity } from './identity.js';
import { type ImaPlace, readKernelLogs } from './kernellogs.js';
import type { Measurements } from './measurements.js';
import { attestationOf } from './nv.js';
import { type Bank, type ChangeDetector, IMA_PCR, type Reading, readPcrs } from './pcrs.js';

/** Quotes that may be overtaken by an extend before the platform counts as too restless to be quoted. */
const TRIES = 8;

export interface PlatformRoom {
  readonly tpm: Tpm;
  readonly identity: Identity;
  readonly bank: Bank;
  readonly measurements: Measurements;
  readonly counter: Counter | null;
  readonly changes: ChangeDetector;
  /** Where the kernel shows its logs of this TPM; null for a TPM that is not the kernel's. */
  readonly securityfs: string | null;
}

/**
 * @param count certify the counter too, one higher: at connection
 * @param place where the part of the IMA list begins; null: none is shown
 */
export async function platformEvidenceOf(room: PlatformRoom, binding: PlatformBinding, pcrs: readonly number[], count: boolean, place: ImaPlace | null): Promise<PlatformEvidence> {
  const quote = await quotePlatform(room, binding, pcrs);
  const register = await room.measurements.certify(platformQualifyingData('register', binding));
  const counter = count ? await room.counter?.next(platformQualifyingData('counter', binding)) : undefined;
  const { boot, ima } = room.securityfs === null ? { boot: null, ima: null } : await readKernelLogs(room.securityfs, pcrs.includes(IMA_PCR) ? place : null);
  return { binding, quote, register, counter: counter ?? null, boot, ima };
}

/** The quote and the values that it covers. A value that changed between reading and quoting is read again: a pair that does not fit is never sent. @throws Fault tpm.busy */
async function quotePlatform({ tpm, identity, bank, changes }: PlatformRoom, binding: PlatformBinding, pcrs: readonly number[]): Promise<PlatformEvidence['quote']> {
  const qualifyingData = platformQualifyingData('quote', binding);
  for (let tries = 0; tries < TRIES; tries++) {
    const reading = await readPcrs(tpm, bank, pcrs);
    const { quoted, signature } = await tpm.run(Quote, { signHandle: identity.ak }, { qualifyingData, inScheme: { scheme: 'null' }, PCRselect: selectPcrs(bank, pcrs) });
    const attest = decode(Attest, quoted);
    if (attest.type !== 'quote' || !attest.attested.pcrDigest.equals(digestOf(reading))) continue;
    changes.note(attest.clockInfo, reading);
    return { ...attestationOf(quoted, signature), bank, pcrs: Object.fromEntries([...reading.values].map(([pcr, value]) => [String(pcr), value.toString('hex')])) };
  }
  throw fault('tpm.busy');
}

/** pcrDigest, Part 2 section 10.12.4: the values in ascending order of PCR, by the hash of the key's scheme. */
function digestOf({ values }: Reading): Buffer {
  const hash = createHash('sha256');
  for (const [, value] of [...values].sort(([a], [b]) => a - b)) hash.update(value);
  return hash.digest();
}
