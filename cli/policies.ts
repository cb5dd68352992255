/** The operator's policy in its file, and the next version of it. */
import { verifyKey } from '../src/base/jws.js';
import { type Policy, POLICY } from '../src/objects/decision.js';
import { open, seal } from '../src/objects/signed.js';
import { loadConfig } from '../verifier/config.js';
import { loadKeys } from '../verifier/keys.js';
import { readFile } from './keys.js';

/** The next version of the policy in force, signed by the operator's key of this verifier. */
export function nextPolicy(configFile: string, change: (now: Policy) => Partial<Policy>): { token: string; value: Policy; file: string } {
  const config = loadConfig(configFile);
  const { operator } = loadKeys(config.keys.dir, config.deposit.origin);
  const now = open(POLICY, readFile(config.trust.policyFile).trim(), (role, kid) => (role === 'operator' && kid === operator.kid ? verifyKey(operator.jwk, operator.kid) : undefined)).value;
  const value: Policy = { ...now, ...change(now), version: now.version + 1, iat: Math.floor(Date.now() / 1000) };
  return { token: seal(POLICY, value, operator), value, file: config.trust.policyFile };
}
