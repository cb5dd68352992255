/** Brings the verifier the manifests that it lacks, in pages. One that it does not take leaves its agent without mandates; the others pay. */
import type { Sha256 } from '../../src/base/bytes.js';
import { asFault } from '../../src/base/fault.js';
import { MANIFEST_PAGE } from '../../src/link.js';
import type { Log } from '../tpm/types.js';
import type { LinkSocket } from './socket.js';

export interface Shelf {
  /** The token of a manifest that was greeted with; undefined for any other. */
  readonly manifest: (manifestSha256: Sha256) => string | undefined;
  readonly log: Log;
}

/** @throws Fault link.* when the connection is gone */
export async function bringManifests(socket: LinkSocket, wanted: readonly Sha256[], { manifest, log }: Shelf, deadlineMs: number): Promise<void> {
  for (const manifestSha256 of wanted) {
    const token = manifest(manifestSha256);
    if (token === undefined) continue;
    try {
      await bring(socket, manifestSha256, token, deadlineMs);
    } catch (error) {
      const refused = asFault(error);
      if (refused.code !== 'agent.manifest') throw refused;
      log.warn({ code: refused.code, manifest: manifestSha256 }, refused.message);
    }
  }
}

async function bring(socket: LinkSocket, manifestSha256: Sha256, token: string, deadlineMs: number): Promise<void> {
  for (let from = 0; from < token.length; from += MANIFEST_PAGE) {
    await socket.request('manifest', { manifestSha256, size: token.length, from, text: token.slice(from, from + MANIFEST_PAGE) }, deadlineMs);
  }
}
