/**
 * Tokens that were verified before: most payments come with a mandate, manifest, carrier and device record that an earlier one came with. A signature over
 * the same bytes under the same key verifies again, so it is not asked again. Who is trusted may change: the key is looked for each time, and what was
 * verified under another one is not known here. Only what was verified is kept, frozen, because many share it.
 */
import { Recent } from '../base/recent.js';
import type { VerifyKey } from '../base/jws.js';
import type { Role } from '../names.js';
import type { KeyFinder } from './signed.js';

/** Characters of tokens that are remembered: a few hundred of the usual ones. */
const REMEMBERED = 2_097_152;

export class Opened<V extends object> {
  readonly #recent = new Recent<{ readonly signer: VerifyKey; readonly value: V }>(REMEMBERED);

  find(token: string, role: Role, keys: KeyFinder): V | undefined {
    const known = this.#recent.get(token);
    return known !== undefined && keys(role, known.signer.kid)?.jkt === known.signer.jkt ? known.value : undefined;
  }

  /** @param data the plain data inside `value`: it is frozen */
  keep(token: string, signer: VerifyKey, value: V, ...data: unknown[]): V {
    for (const each of data) freeze(each);
    this.#recent.set(token, { signer, value }, token.length);
    return value;
  }
}

function freeze(data: unknown): void {
  if (typeof data !== 'object' || data === null) return;
  Object.freeze(data);
  for (const member of Object.values(data)) freeze(member);
}
