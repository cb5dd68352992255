/**
 * The manifests that payments name, each once in the state directory under its hash: that of an agent with many files has megabytes, and a journal that
 * repeated it would be as large as the agent for each payment. A bundle is asked for later, when the agent may have another.
 */
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Sha256 } from '../../src/base/bytes.js';
import type { Agent } from '../ports.js';
import { replaceFile } from '../state.js';

const fileOf = (sha256: Sha256): string => `manifest-${sha256}.jwt`;
const NAME = /^manifest-[A-Za-z0-9_-]{43}\.jwt$/;

/** Keeps those of the agents, and of others only what payments still name. Durable when it resolves. */
export async function keepManifests(dir: string, agents: readonly Pick<Agent, 'manifest'>[], named: Iterable<Sha256>): Promise<void> {
  const there = new Set(readdirSync(dir).filter((file) => NAME.test(file)));
  const wanted = new Set([...named, ...agents.map(({ manifest }) => manifest.sha256)].map(fileOf));
  for (const { manifest: { sha256, token } } of agents) if (!there.has(fileOf(sha256))) await replaceFile(join(dir, fileOf(sha256)), token);
  for (const file of there) if (!wanted.has(file)) rmSync(join(dir, file));
}

/** The token of a manifest that was kept; null when its file was lost. */
export function readManifest(dir: string, sha256: Sha256): string | null {
  try {
    return readFileSync(join(dir, fileOf(sha256)), 'utf8');
  } catch {
    return null;
  }
}
