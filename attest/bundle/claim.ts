/** What an edge says when it does not hold. */
import { Fault } from '../../src/base/fault.js';
import type { Code } from '../../src/codes.js';
import type { Edge } from '../../src/objects/bundle.js';

/** An edge that does not hold. `code` is there when a decision may rightly have been made about exactly this. */
export class Broken extends Error {
  readonly code: Code | null;

  constructor(what: string, code: Code | null) {
    super(what);
    this.code = code;
  }
}

/** An object that cannot be opened. It breaks its `home`, the edge that answers for it; others that need it are not checked. */
export class Unopened extends Broken {
  readonly home: Edge;

  constructor(home: Edge, { what, code }: Why) {
    super(what, code);
    this.home = home;
  }
}

/** Breaks the edge unless `holds`. */
export function claim(holds: boolean, what: string, code: Code | null = null): asserts holds {
  if (!holds) throw new Broken(what, code);
}

/** Breaks the edge unless all values are the same on both sides; names the first that is not. */
export function claimSame(pairs: Record<string, readonly [unknown, unknown]>, code: Code | null = null): void {
  for (const [name, [a, b]] of Object.entries(pairs)) claim(a === b, `${name} is not the same on both sides`, code);
}

export interface Why { readonly what: string; readonly code: Code | null }

/** Why an edge is broken; null for what is no finding about the bundle but an error of this program. */
export function brokenBy(error: unknown): Why | null {
  if (error instanceof Broken) return { what: error.message, code: error.code };
  return error instanceof Fault ? { what: error.message, code: error.code } : null;
}
