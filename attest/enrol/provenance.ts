/** Where an enrolling TPM comes from: which pinned root vouches for its endorsement key or, in a cloud, for the provider's attestation key in it. */
import { type KeyObject } from 'node:crypto';
import { Public, decode, publicKeyOf } from '@ari-sidecar/tpm2';
import { fromB64u } from '../../src/base/bytes.js';
import { Fault, type Finding, fault } from '../../src/base/fault.js';
import { type BlockList, blocked } from '../x509/blocklist.js';
import { type Certificate, readCertificate } from '../x509/certificate.js';
import { type Revocations, revoked } from '../x509/crl.js';
import { TPM_MAKERS } from '../x509/oddities.js';
import { type PathAnswer, findPath } from '../x509/path.js';
import type { AnchorUse, PinnedRoot } from '../x509/roots.js';
import { AK_PURPOSE, EK_PURPOSE, type TpmModel, attestation, endorsement, tpmOf } from '../x509/tpm.js';

/** Whom an operator believes about TPMs. */
export interface TpmTrust {
  readonly roots: readonly PinnedRoot[];
  /** Known issuing authorities: candidates beside those that the device sends, believed as little. */
  readonly intermediates: readonly Certificate[];
  readonly revocations: Revocations;
  readonly blockList: BlockList;
}
/** Pinned roots and nothing else. */
export const onlyRoots = (roots: readonly PinnedRoot[]): TpmTrust => ({ roots, intermediates: [], revocations: { lists: [], refuseStale: true }, blockList: { rows: [] } });

/** What is known of a TPM from certificates that hold. */
export interface Provenance { readonly root: PinnedRoot; readonly model: TpmModel | null }

type Sent = string | Uint8Array;
const read = (sent: Sent): Certificate => readCertificate(typeof sent === 'string' ? (fromB64u(sent) ?? Buffer.alloc(0)) : sent);

interface Question { readonly certificate: Sent; readonly chain: readonly Sent[]; readonly trust: TpmTrust; readonly nowS: number }
interface Kind { readonly use: AnchorUse; readonly purpose: string; readonly check: (leaf: Certificate) => Finding | null }
const ENDORSEMENT: Kind = { use: 'ek', purpose: EK_PURPOSE, check: endorsement };
const ATTESTATION: Kind = { use: 'ak', purpose: AK_PURPOSE, check: attestation };

/** The leaf and the root that it leads to, or why not. */
function prove({ certificate, chain, trust, nowS }: Question, { use, purpose, check }: Kind): { leaf: Certificate; root: PinnedRoot } | Finding {
  const leaf = read(certificate);
  const unfit = check(leaf);
  if (unfit !== null) return unfit;
  const answer: PathAnswer = findPath({
    leaf, intermediates: [...chain.map(read), ...trust.intermediates], anchors: trust.roots.filter(({ uses }) => uses.includes(use)), nowS, purpose, tolerated: TPM_MAKERS,
    revocation: (path) => revoked(path, trust.revocations, nowS),
  });
  return answer.ok ? { leaf, root: answer.root } : answer.finding;
}

/** Certificate faults and findings under the code of the enrolment. */
function orRefused<T extends object>(code: 'enrol.ek_chain' | 'enrol.ak_certificate', attempt: () => T | Finding): T {
  try {
    const found = attempt();
    if ('code' in found) throw fault(code, { what: found.message });
    return found as T;
  } catch (error) {
    throw error instanceof Fault && error.code === 'cert.malformed' ? new Fault(code, { what: error.message }, error) : error;
  }
}

const sameKey = (certified: KeyObject | null, area: Public): boolean => certified?.equals(publicKeyOf(area)) === true;

/** @throws Fault enrol.ek_chain, enrol.ek_mismatch */
export function endorsedBy(question: Question, ek: Public): Provenance {
  const { leaf, root } = orRefused('enrol.ek_chain', () => prove(question, ENDORSEMENT));
  if (!sameKey(leaf.publicKey.key, ek)) throw fault('enrol.ek_mismatch');
  return { root, model: tpmOf(leaf) };
}

/**
 * In a cloud the provider certifies an attestation key of his own, and there may be no certificate of an endorsement key. Only the certified key counts:
 * another one that the device shows beside it is refused.
 * @throws Fault enrol.ak_certificate
 */
export function certifiedBy(question: Question, providerKey: Public): Provenance {
  const { leaf, root } = orRefused('enrol.ak_certificate', () => prove(question, ATTESTATION));
  if (!sameKey(leaf.publicKey.key, providerKey)) throw fault('enrol.ak_certificate', { what: 'it is for another key' });
  return { root, model: tpmOf(leaf) };
}

/**
 * Also without a certificate: a key that can be computed is known by itself.
 * @param firmware as a quote of this TPM said it
 * @throws Fault enrol.tpm_blocked
 */
export function assertNotBlocked({ blockList }: TpmTrust, { ekPublic, akPublic, provider, provenance }: Enrolling, firmware: bigint): void {
  const ak = decode(Public, fromB64u(akPublic) ?? Buffer.alloc(0));
  const moduli = [ekPublic, ak, ...(provider ? [provider.publicArea] : [])].flatMap((area) => (area.type === 'rsa' ? [area.unique] : []));
  const what = blocked(blockList, { model: provenance?.model ?? null, ek: ekPublic.type === 'rsa' ? 'rsa' : 'ec', moduli, firmware });
  if (what !== null) throw fault('enrol.tpm_blocked', { what });
}

interface Enrolling { readonly ekPublic: Public; readonly akPublic: string; readonly provider: { readonly publicArea: Public } | null; readonly provenance: Provenance | null }
