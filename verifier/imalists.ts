/**
 * The IMA lists of devices as far as quotes covered them. The store keeps where each stands, never its entries: a device shows them again from the first
 * one when the rules for files change, and keeps them itself for its bundles.
 */
import { IMA_PCR, type ImaStanding, decodeImaStanding, imaBeginning, imaFollows, imaStandingAt, parsePiece, takeEntries } from '../attest/ima/index.js';
import type { PlatformResult } from '../attest/types.js';
import { fromB64u } from '../src/base/bytes.js';
import { fault } from '../src/base/fault.js';
import type { LinkBody } from '../src/link.js';
import type { Verifier } from './context.js';

/** `resetCount`: of the boot that it was shown in. */
export interface KeptIma { readonly resetCount: number; readonly standing: ImaStanding }

export async function keptIma(v: Verifier, akName: string): Promise<KeptIma | null> {
  const row = await v.store.imaList(akName);
  return row && { resetCount: row.resetCount, standing: decodeImaStanding(row.standing) };
}

const quotesIma = (v: Verifier): boolean => v.trust.policy().value.pcrs.includes(IMA_PCR);

/**
 * Where the device's next part begins, once its platform part was accepted: where this one ended; or, when it showed no list, where the last one of this boot
 * did. Null when the policy does not quote PCR 10, and no list is asked for.
 */
export function imaAfter(v: Verifier, { appraisal: { bank, resetCount }, ima }: PlatformResult, shown: boolean, known: KeptIma | null): KeptIma | null {
  if (!quotesIma(v) || (bank !== 'sha256' && bank !== 'sha384')) return null;
  if (ima !== null) return { resetCount, standing: ima };
  const rules = v.trust.policy().value.ima;
  if (!shown && known?.resetCount === resetCount && imaFollows(known.standing, bank, rules)) return known;
  return { resetCount, standing: imaBeginning(bank, rules) };
}

/**
 * A piece of a list too long for one message. It proves nothing: the next quote must cover all of it, or the device begins anew.
 * @throws Fault ima.gap, ima.malformed, ima.too_large
 */
export function takePiece(v: Verifier, known: KeptIma | null, { from, data }: LinkBody<'ima_append'>): KeptIma {
  const { ima: rules } = v.trust.policy().value;
  if (known === null || !quotesIma(v)) throw fault('ima.gap', { from, what: 'the policy asks for no list' });
  const before = imaStandingAt(known.standing, from, known.standing.bank, rules);
  return { ...known, standing: takeEntries(before, parsePiece(fromB64u(data) ?? Buffer.alloc(0), from), rules) };
}
