/** PCR values, and the cheap way to know that they changed: Part 3 section 22.4, pcrUpdateCounter. */
import { GetCapability, type HashAlg, PCR_Read, type Tpm, selectPcrs } from '@ari-sidecar/tpm2';
import { fault } from '../../src/base/fault.js';
import { type Boot, readBoot, sameBoot } from './measurements.js';

/** PCR 10 holds the kernel's measurement list and moves with every new file: alone it is no reason to quote at once. */
export const IMA_PCR = 10;
/** Readings that may be disturbed by an extend in between before the TPM counts as too busy to be read. */
const TRIES = 16;

export type Bank = 'sha256' | 'sha384';
export interface Reading { readonly counter: number; readonly values: ReadonlyMap<number, Buffer> }

/** The bank to quote: SHA-256 where the firmware allocated it. */
export async function chooseBank(tpm: Tpm): Promise<Bank> {
  const { capabilityData } = await tpm.run(GetCapability, {}, { capability: 'pcrs', property: 0, propertyCount: 1 });
  const allocated = capabilityData.capability === 'pcrs' ? capabilityData.data.filter(({ pcrs }) => pcrs.length > 0).map(({ hash }) => hash) : [];
  return allocated.includes('sha384') && !allocated.includes('sha256') ? 'sha384' : 'sha256';
}

/** All selected values at one moment: a TPM gives at most eight at once, so it is begun again when the update counter moved in between. @throws Fault tpm.busy */
export async function readPcrs(tpm: Tpm, bank: HashAlg, pcrs: readonly number[]): Promise<Reading> {
  for (let tries = 0; tries < TRIES; tries++) {
    const reading = await readOnce(tpm, bank, pcrs);
    if (reading) return reading;
  }
  throw fault('tpm.busy');
}

async function readOnce(tpm: Tpm, bank: HashAlg, pcrs: readonly number[]): Promise<Reading | null> {
  const values = new Map<number, Buffer>();
  let counter: number | null = null;
  let left = [...new Set(pcrs)];
  do {
    const answer = await tpm.run(PCR_Read, {}, { pcrSelectionIn: selectPcrs(bank, left) });
    if (counter !== null && answer.pcrUpdateCounter !== counter) return null;
    counter = answer.pcrUpdateCounter;
    const given = answer.pcrSelectionOut.flatMap((selection) => (selection.hash === bank ? selection.pcrs : []));
    given.forEach((pcr, i) => values.set(pcr, answer.pcrValues[i]!));
    left = given.length === 0 ? [] : left.filter((pcr) => !values.has(pcr));
  } while (left.length > 0);
  return { counter, values };
}

/** What the last quote saw. The update counter is local and unsigned: it saves work, it proves nothing. */
export class ChangeDetector {
  #seen: { boot: Boot; counter: number; values: ReadonlyMap<number, Buffer> } | null = null;

  note(boot: Boot, { counter, values }: Reading): void {
    this.#seen = { boot, counter, values };
  }

  /** True when nothing was quoted yet, the TPM was reset or resumed, or a selected PCR other than 10 has another value. */
  async changed(tpm: Tpm, bank: HashAlg): Promise<boolean> {
    const seen = this.#seen;
    if (!seen || !sameBoot(seen.boot, await readBoot(tpm))) return true;
    const now = await readPcrs(tpm, bank, [...seen.values.keys()]);
    if (now.counter === seen.counter) return false;
    for (const [pcr, value] of seen.values) if (pcr !== IMA_PCR && now.values.get(pcr)?.equals(value) !== true) return true;
    this.#seen = { ...seen, counter: now.counter };
    return false;
  }
}
