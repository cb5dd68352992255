/** The PCR values that a quote really covers: exactly those the policy names, in one bank, and no others. */
import { createHash } from 'node:crypto';
import { type AttestOf, HASH_SIZE, type SignatureScheme } from '@ari-sidecar/tpm2';
import { equal } from '../../src/base/bytes.js';
import { fault } from '../../src/base/fault.js';
import type { PlatformEvidence } from '../../src/objects/evidence.js';

type Quoted = AttestOf<'quote'>['attested'];
type Bank = PlatformEvidence['quote']['bank'];
/** PC Client bitmaps have three bytes; the codec names the size only where it is another. */
const isUsualSize = (size: number | undefined): boolean => size === undefined || size === 3;

/**
 * @param hash of the signature: `pcrDigest` uses it, whatever the bank
 * @throws Fault quote.selection, quote.pcr_digest, quote.pcr_unused
 */
export function assertPcrs(quoted: Quoted, { bank, pcrs }: Pick<PlatformEvidence['quote'], 'bank' | 'pcrs'>, wanted: readonly number[], hash: SignatureScheme['hash']): void {
  const selected = [...new Set(wanted)].sort((a, b) => a - b);
  assertSelection(quoted, bank, selected);
  if (Object.keys(pcrs).length !== selected.length) throw fault('quote.selection');
  const values = selected.map((pcr) => Buffer.from(pcrs[pcr] ?? '', 'hex'));
  if (values.some((value) => value.length !== HASH_SIZE[bank])) throw fault('quote.selection');
  if (!equal(createHash(hash).update(Buffer.concat(values)).digest(), quoted.pcrDigest)) throw fault('quote.pcr_digest');
  if (selected[0] === 0 && isInitial(values[0]!)) throw fault('quote.pcr_unused');
}

function assertSelection({ pcrSelect }: Quoted, bank: Bank, wanted: readonly number[]): void {
  const [only] = pcrSelect;
  const same = pcrSelect.length === 1 && only!.hash === bank && isUsualSize(only!.sizeofSelect) && only!.pcrs.join() === wanted.join();
  if (!same) throw fault('quote.selection');
}

/** A bank that firmware does not extend can be filled by anyone afterwards (CVE-2021-42299). Before its first extend PCR 0 holds the startup locality, 0 to 4. */
const isInitial = (pcr0: Buffer): boolean => pcr0.subarray(0, -1).every((byte) => byte === 0) && pcr0.at(-1)! <= 4;
