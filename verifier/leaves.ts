/** Leaves before the log gives them their place. */
import { freshSalt, type Verifier } from './context.js';
import type { LeafDraft } from './store/verbs.js';

const NOTHING = { code: null, payment: null, mandate: null, carrier: null, ear: null, confirmation: null, decision: null, execution: null, receipt: null, subject: null };

/** A leaf that names what is said and nothing else; with a salt of its own, because some of what it names could be guessed. */
export const leafDraft = (v: Verifier, said: Pick<LeafDraft, 'kind' | 'chain'> & Partial<LeafDraft>): LeafDraft =>
  ({ v: 'ari-deposit-1', salt: freshSalt(v), tsMs: v.now(), ...NOTHING, ...said }) as LeafDraft;
