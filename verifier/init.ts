/** `ari verifier init`: keys, the operator's token and a first policy. What exists is kept; running it twice changes nothing. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { randomBytes } from 'node:crypto';
import { toB64u } from '../src/base/bytes.js';
import { stringify } from '../src/base/shape.js';
import { type Policy, POLICY } from '../src/objects/decision.js';
import { ENVIRONMENTS } from '../src/objects/environment.js';
import { seal } from '../src/objects/signed.js';
import { trustFile } from '../src/objects/trust.js';
import type { VerifierConfig } from './config.js';
import { createSecret } from './keyfiles.js';
import { createKeys, loadKeys } from './keys.js';

/** What a production verifier starts with: real TPMs only, nothing above L4, a quote at most a minute old, surroundings as {@link ENVIRONMENTS} has them. PCRs 0-7: firmware, boot loader, Secure Boot. */
export const DEFAULT_POLICY: Omit<Policy, 'iss' | 'iat'> = {
  id: 'default', version: 1, stage: 'enforce', allowSimulated: false, levels: ['L0', 'L1', 'L2', 'L3', 'L4'], minTier: 'T1', pcrs: [0, 1, 2, 3, 4, 5, 6, 7],
  platformMaxAgeMs: 60_000, requireBootLog: false, requireIma: false, environment: ENVIRONMENTS.production, confirmationMaxS: 600,
};
/** What differs in the demo's: a software TPM, on whatever machine it is tried. */
export const DEMO_POLICY: Partial<typeof DEFAULT_POLICY> = { id: 'demo', allowSimulated: true, environment: ENVIRONMENTS.none };

function createText(file: string, make: () => string): void {
  mkdirSync(dirname(file), { recursive: true });
  try {
    writeFileSync(file, make(), { flag: 'wx' });
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause;
  }
}

/** `policy` replaces members of {@link DEFAULT_POLICY}. */
export function initVerifier(config: VerifierConfig, policy: Partial<Omit<Policy, 'iss' | 'iat'>> = {}): void {
  createKeys(config.keys.dir);
  createSecret(config.api.adminTokenFile, () => toB64u(randomBytes(32)));
  const { operator } = loadKeys(config.keys.dir, config.deposit.origin);
  const value: Policy = { iss: config.issuers.verifier, iat: Math.floor(Date.now() / 1000), ...DEFAULT_POLICY, ...policy };
  createText(config.trust.policyFile, () => `${seal(POLICY, value, operator)}\n`);
  createText(config.trust.publishers, () => `${stringify(trustFile, { keys: [], ariLogs: [] })}\n`);
}
