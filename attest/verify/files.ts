/** The files that the kernel measured: an IMA list, or its latest part, held against the quoted PCR 10 and the policy. */
import { fromB64u } from '../../src/base/bytes.js';
import { type Finding, fault, finding } from '../../src/base/fault.js';
import type { Policy } from '../../src/objects/decision.js';
import type { PlatformEvidence } from '../../src/objects/evidence.js';
import type { Pcrs } from '../boot/index.js';
import { IMA_PCR, type ImaStanding, imaStandingAt, imaVerdict, parseIma, reach } from '../ima/index.js';
import { untilRefused } from './refusal.js';

/**
 * `broken`: evidence that does not hold. `differing`: evidence that holds and is not as policy says. `sidecar`: IMA measured the sidecar's own files, all good.
 * `standing`: the list as far as the quote covers it, for the part that comes next; null when nothing was shown.
 */
export interface Files { readonly broken: Finding[]; readonly differing: readonly Finding[]; readonly sidecar: boolean; readonly standing: ImaStanding | null }

const nothing = (broken: Finding[]): Files => ({ broken, differing: [], sidecar: false, standing: null });

/** @param known where the list of this machine stood when it was last shown; null: it was not */
export function judgeFiles({ ima, quote: { bank } }: PlatformEvidence, pcrs: Pcrs, policy: Policy, known: ImaStanding | null): Files {
  const quoted = pcrs.get(IMA_PCR);
  if (ima === null) return nothing([]);
  if (quoted === undefined) return nothing(policy.requireIma || policy.ima !== undefined ? [finding('ima.replay', { what: 'it was not quoted' })] : []);
  const shown = untilRefused(() => {
    const before = imaStandingAt(known, ima.from, bank, policy.ima);
    const entries = parseIma(ima.format, fromB64u(ima.data) ?? Buffer.alloc(0), ima.from);
    const standing = reach(before, entries, quoted, policy.ima);
    if (standing === null) throw fault('ima.replay', { what: `not after any of its ${before.n + entries.length} entries` });
    return standing;
  });
  if (!shown.ok) return nothing([ima.from === 0 || shown.refusal.code === 'ima.too_large' ? shown.refusal : discontinued(ima.from, shown.refusal)]);
  const { findings, sidecar } = imaVerdict(shown.value, policy.ima);
  return { broken: [], differing: findings, sidecar, standing: shown.value };
}

/** Whatever is wrong with a part, the whole list may be right: it is asked for again from its beginning. */
const discontinued = (from: number, { code, message }: Finding): Finding => (code === 'ima.gap' ? { code, message } : finding('ima.gap', { from, what: message }));
