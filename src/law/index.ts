/** The law that both processes run: levels, rules, decision. */
export { type AdjudicationInput, RULES, type Ruling, adjudicate, precheck, precheckOffline } from './adjudicate.js';
export { type AllowanceTerms, allowanceTerms } from './allowance.js';
export type { Appraised, MeasuredAgent } from './facts.js';
export { asKnown, looser, tighter } from './tighter.js';
export { LEVEL_ROWS, type LevelRow, effectiveLevel, maxPayments } from './levels.js';
