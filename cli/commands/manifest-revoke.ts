import type { Command } from 'commander';
import { fault } from '../../src/base/fault.js';
import { splitJws } from '../../src/base/jws.js';
import { parse } from '../../src/base/shape.js';
import { agentManifest } from '../../src/objects/manifest.js';
import { SIGNED_BYTES, tokenHash } from '../../src/objects/signed.js';
import { revokeManifest } from '../actions.js';
import { loadKey, readFile } from '../keys.js';
import { show } from '../output.js';
import { adminApi, apiOption, caOption, keyOption, type Remote, tokenOption } from './options.js';

interface RevokeOptions extends Remote { key?: string; json?: boolean }

export function revokeCommand(manifest: Command): void {
  const options = [apiOption(), caOption(), keyOption("the publisher's").makeOptionMandatory(false), tokenOption().makeOptionMandatory(false)];
  options.reduce((all, option) => all.addOption(option), manifest.command('revoke <FILE>'))
    .summary('end an agent version')
    .description("Ends the agent version of a signed manifest at a verifier, for ever: with a key of its publisher, or the operator's token. Nothing is permitted by it once it is\nanswered; mandates that name it are revoked with it, and sidecars that run it are told at once.")
    .option('--json', 'print one JSON object')
    .action(async (file: string, { key, adminTokenFile, ...remote }: RevokeOptions) => {
      if ((key === undefined) === (adminTokenFile === undefined)) throw fault('usage.wrong', { what: 'say who you are: --key FILE of the publisher, or --admin-token-file FILE' });
      const token = readFile(file).trim();
      const { agent, iss } = parse(agentManifest, splitJws(token).payload, 'manifest', { bytes: SIGNED_BYTES });
      const manifestSha256 = tokenHash(token);
      const api = adminApi({ ...remote, ...(adminTokenFile !== undefined && { adminTokenFile }) });
      if (key !== undefined) await revokeManifest(api, { iss, manifestSha256 }, loadKey(key, 'publisher'));
      else await api.post(`/v1/trust/manifests/${manifestSha256}/revoke`, {});
      show({ manifest_sha256: manifestSha256, state: 'revoked' }, remote, () => `${agent.id} ${agent.version} is revoked`);
    });
}
