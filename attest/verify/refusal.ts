/** Authenticity stops at the first failure: a step refuses by throwing its code, and here that becomes a finding. Anything else that is thrown is a bug and rises. */
import { Fault, type Finding } from '../../src/base/fault.js';

/** Refuses with a finding that was made elsewhere. */
export class Refusal extends Error {
  readonly finding: Finding;

  constructor(finding: Finding) {
    super(finding.message);
    this.finding = finding;
  }
}

export type Judged<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly refusal: Finding };

export function untilRefused<T>(steps: () => T): Judged<T> {
  try {
    return { ok: true, value: steps() };
  } catch (error) {
    if (error instanceof Refusal) return { ok: false, refusal: error.finding };
    if (!(error instanceof Fault) || error.code === 'bug.internal') throw error;
    return { ok: false, refusal: { code: error.code, message: error.message } };
  }
}
