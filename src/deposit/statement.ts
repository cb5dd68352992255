/**
 * The statement of a carrier, computed by its user from the leaves and receipts alone: what was paid and came back, and where the chain has a gap. The
 * issuer's own totals are a claim; this is what they are held against.
 */
import type { Sha256 } from '../base/bytes.js';
import { Fault, type Finding, finding } from '../base/fault.js';
import { splitJws } from '../base/jws.js';
import { type DepositLeaf, leafHash } from '../objects/leaf.js';
import { RECEIPT, REFUND } from '../objects/settlement.js';
import { open, tokenHash } from '../objects/signed.js';
import type { Trust } from '../objects/trust.js';
import { readLeaf } from './chain.js';
import { verifyProof } from './proof.js';

export interface StatementInput {
  readonly carrierId: string;
  /** The texts of the chain's leaves, in order. */
  readonly leaves: readonly string[];
  readonly receipts: readonly string[];
  /** The proof of the last leaf: all before it are named by it, one by one. */
  readonly proof: string | null;
}

/** `amount`: minor units that moved with this leaf, null for a leaf that moves none. `total`: paid less refunded up to here. */
export interface StatementLine { readonly leaf: DepositLeaf; readonly paymentId: string | null; readonly amount: bigint | null; readonly total: bigint }
export interface Statement { readonly lines: readonly StatementLine[]; readonly paid: bigint; readonly refunded: bigint; readonly wrong: readonly Finding[] }

interface Moved { readonly paymentId: string; readonly amount: bigint }

/** What moved, by the hash of its receipt. @throws Fault token.* for a receipt that no settlement key signed */
function movements(receipts: readonly string[], { keys }: Trust): Map<Sha256, Moved> {
  return new Map(receipts.map((token) => {
    const { paymentId, amount } = splitJws(token).typ === REFUND.typ ? open(REFUND, token, keys).value : open(RECEIPT, token, keys).value;
    return [tokenHash(token), { paymentId, amount: amount.amount }];
  }));
}

/** `seq` and `prev` as this leaf must have them. */
interface Tail { readonly seq: number; readonly prev: Sha256 | null }

/** @throws Fault token.* for a forged receipt; a fault of the text of a leaf that is none */
export function statement({ carrierId, leaves, receipts, proof }: StatementInput, trust: Trust): Statement {
  const moved = movements(receipts, trust);
  const wrong: Finding[] = [];
  const lines: StatementLine[] = [];
  const sums = { settled: 0n, refunded: 0n };
  let tail: Tail = { seq: 0, prev: null };
  for (const text of leaves) {
    const leaf = readLeaf(text);
    if (leaf.chain !== carrierId || leaf.seq !== tail.seq || leaf.prev !== tail.prev) wrong.push(finding('deposit.chain', { seq: tail.seq }));
    tail = { seq: leaf.seq + 1, prev: leafHash(text) };
    const movement = leaf.receipt === null ? undefined : moved.get(leaf.receipt);
    const moves = leaf.kind === 'settled' || leaf.kind === 'refunded' ? leaf.kind : null;
    if (moves !== null && movement === undefined) wrong.push(finding('deposit.receipt', { seq: leaf.seq }));
    if (moves !== null) sums[moves] += movement?.amount ?? 0n;
    lines.push({ leaf, paymentId: movement?.paymentId ?? null, amount: moves === null ? null : (movement?.amount ?? null), total: sums.settled - sums.refunded });
  }
  return { lines, paid: sums.settled, refunded: sums.refunded, wrong: [...wrong, ...unproven(leaves.at(-1), proof, trust)] };
}

/** The last leaf is in the log. */
function unproven(last: string | undefined, proof: string | null, { logs }: Trust): Finding[] {
  if (last === undefined) return [];
  try {
    verifyProof(last, proof ?? '', logs);
    return [];
  } catch (error) {
    if (error instanceof Fault) return [{ code: error.code, message: error.message }];
    throw error;
  }
}
