/**
 * Manifests as publishers signed them. One names every file of its agent, megabytes for a large one, and is read, verified and parsed once: it never changes
 * under its hash. Whether its publisher is still trusted is asked for each payment. A version that was revoked is still what evidence is compared with; that it
 * may not pay is seen at its mandates, which were revoked with it.
 */
import type { Sha256 } from '../src/base/bytes.js';
import { fault } from '../src/base/fault.js';
import { Recent } from '../src/base/recent.js';
import { AGENT_MANIFEST, type AgentManifest } from '../src/objects/manifest.js';
import { open, tokenHash, type Verified } from '../src/objects/signed.js';
import type { Store } from './store/verbs.js';
import type { Trust } from './trust.js';

type Opened = Verified<AgentManifest>;

/** Characters of tokens: six of the longest, or a thousand usual ones. Opened, a manifest takes about four bytes for each. */
const REMEMBERED = 33_554_432;

export class Manifests {
  readonly #store: Pick<Store, 'addManifest' | 'manifest'>;
  readonly #trust: Pick<Trust, 'keys' | 'publisherOf'>;
  readonly #recent = new Recent<Opened>(REMEMBERED);

  constructor(store: Pick<Store, 'addManifest' | 'manifest'>, trust: Pick<Trust, 'keys' | 'publisherOf'>) {
    this.#store = store;
    this.#trust = trust;
  }

  /** Null when it is not known, or its publisher is not trusted any more. */
  async of(manifestSha256: Sha256): Promise<Opened | null> {
    const known = this.#recent.get(manifestSha256) ?? (await this.#read(manifestSha256));
    return known !== null && this.#isTrusted(known) ? known : null;
  }

  /** Takes a manifest that a device brought. @throws Fault agent.manifest (another than was named, or signed by no trusted publisher) */
  async add(manifestSha256: Sha256, token: string): Promise<Opened> {
    const opened = tokenHash(token) === manifestSha256 ? this.#open(token) : null;
    if (opened === null) throw fault('agent.manifest');
    const { id: agentId, version } = opened.value.agent;
    await this.#store.addManifest({ manifestSha256, agentId, version, token });
    return this.#keep(opened);
  }

  async #read(manifestSha256: Sha256): Promise<Opened | null> {
    const row = await this.#store.manifest(manifestSha256);
    const opened = row && this.#open(row.token);
    return opened && this.#keep(opened);
  }

  #open(token: string): Opened | null {
    try {
      const opened = open(AGENT_MANIFEST, token, this.#trust.keys);
      return this.#trust.publisherOf(opened.signer.kid) === opened.value.iss ? opened : null; // a key of one publisher says nothing in the name of another
    } catch {
      return null; // no trusted publisher signed it
    }
  }

  #isTrusted({ signer }: Opened): boolean {
    return this.#trust.keys('publisher', signer.kid)?.jkt === signer.jkt;
  }

  #keep(opened: Opened): Opened {
    this.#recent.set(opened.sha256, opened, opened.token.length);
    return opened;
  }
}
