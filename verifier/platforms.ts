/**
 * Accepted platform parts, for the payments that rest on them. A row of the store is written once under its hash and never changes, so one that was read
 * stays good; whether its device may still pay is asked of the store for each payment, not here.
 */
import type { KeptPlatform } from '../attest/types.js';
import { readKept } from '../attest/verify/index.js';
import type { Sha256 } from '../src/base/bytes.js';
import { Recent } from '../src/base/recent.js';
import type { Store } from './store/verbs.js';

/** Characters of text: a platform part has 2 thousand, with boot log and IMA list up to 2 million. */
const REMEMBERED = 16_777_216;

export class Platforms {
  readonly #store: Pick<Store, 'platform'>;
  readonly #recent = new Recent<{ readonly deviceId: string; readonly kept: KeptPlatform }>(REMEMBERED);

  constructor(store: Pick<Store, 'platform'>) {
    this.#store = store;
  }

  /** What was accepted of this device under this hash, or null. */
  async of(deviceId: string, platformSha256: Sha256): Promise<KeptPlatform | null> {
    const known = this.#recent.get(platformSha256) ?? (await this.#read(platformSha256));
    return known?.deviceId === deviceId ? known.kept : null;
  }

  async #read(platformSha256: Sha256): Promise<{ deviceId: string; kept: KeptPlatform } | null> {
    const row = await this.#store.platform(platformSha256);
    if (row === null) return null;
    const known = { deviceId: row.deviceId, kept: readKept(row) };
    this.#recent.set(platformSha256, known, row.evidence.length);
    return known;
  }
}
