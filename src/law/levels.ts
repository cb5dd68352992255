/** The levels of delegation as data. Nothing below may switch on a level's name: a rule reads the row. docs/levels.md shows the same table. */
import { LEVELS, type Level, type Tier } from '../names.js';

export interface LevelRow {
  /** Who begins a payment at this level. */
  readonly starter: 'user' | 'agent suggests' | 'agent';
  /** Who approves it: the user each time, the verifier within one task, or the carrier's rules. */
  readonly approver: 'user' | 'system' | 'rules';
  /** How many payments one mandate carries: one, what the mandate says (one when it says nothing), or what it says (no limit when it says nothing). */
  readonly payments: 'one' | 'said' | 'any';
  /** The payment must be for the task that the mandate names. */
  readonly task: boolean;
  /** Below this tier there is doubt; null where the user approves on other grounds. */
  readonly minTier: Tier | null;
  /** What a doubt leads to. */
  readonly ifDoubt: 'confirm' | 'deny';
  /** What the verifier owes the user after a permitted payment. */
  readonly obligations: readonly string[];
}

export const LEVEL_ROWS: Readonly<Record<Level, LevelRow>> = {
  L0: { starter: 'user', approver: 'user', payments: 'one', task: false, minTier: null, ifDoubt: 'confirm', obligations: ['receipt'] },
  L1: { starter: 'agent suggests', approver: 'user', payments: 'one', task: false, minTier: null, ifDoubt: 'confirm', obligations: ['receipt'] },
  L2: { starter: 'agent', approver: 'user', payments: 'one', task: false, minTier: 'T1', ifDoubt: 'confirm', obligations: ['receipt'] },
  L3: { starter: 'agent', approver: 'system', payments: 'said', task: true, minTier: 'T2', ifDoubt: 'confirm', obligations: ['receipt', 'notify_user'] },
  L4: { starter: 'agent', approver: 'rules', payments: 'any', task: false, minTier: 'T2', ifDoubt: 'confirm', obligations: ['receipt', 'notify_user', 'daily_digest'] },
  L5: { starter: 'agent', approver: 'rules', payments: 'any', task: false, minTier: 'T3', ifDoubt: 'deny', obligations: ['receipt', 'daily_digest'] },
};

/** The level a payment is judged at: the highest one, not above the mandate's, that everyone allows; null when there is none. */
export function effectiveLevel(said: Level, ...allowed: (readonly Level[])[]): Level | null {
  const upTo = LEVELS.slice(0, LEVELS.indexOf(said) + 1).reverse();
  return upTo.find((level) => allowed.every((list) => list.includes(level))) ?? null;
}

/** Payments that a mandate carries at a level; null: no limit of its own. The store reserves its slot under the same number. */
export function maxPayments(level: Level, said: number | null): number | null {
  const { payments } = LEVEL_ROWS[level];
  if (payments === 'one') return 1;
  return said ?? (payments === 'said' ? 1 : null);
}
