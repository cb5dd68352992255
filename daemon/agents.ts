/** The agents that the operator allowed: each with the manifest its publisher signed. */
import { fault } from '../src/base/fault.js';
import { AGENT_MANIFEST } from '../src/objects/manifest.js';
import { type KeyFinder, open } from '../src/objects/signed.js';
import type { DaemonConfig } from './config.js';
import type { Agent } from './ports.js';
import { readText } from './trust.js';

/** @throws Fault config.unreadable, config.invalid (a manifest for another agent), token.* (not signed by a trusted publisher) */
export const loadAgents = (allow: DaemonConfig['agents']['allow'], keys: KeyFinder): Agent[] => allow.map(({ id, manifestFile, root, uid, launchOnly }) => {
  const manifest = open(AGENT_MANIFEST, readText(manifestFile).trim(), keys);
  if (manifest.value.agent.id !== id) throw fault('config.invalid', { file: manifestFile, what: `it is the manifest of ${manifest.value.agent.id}, not of ${id}` });
  return { id, manifest, root: root ?? '', uid: uid ?? null, launchOnly: launchOnly ?? false };
});
