/** Edges between request, agent, platform and the TPM that signed: what ran where. */
import type { Finding } from '../../src/base/fault.js';
import { thumbprint } from '../../src/base/jws.js';
import type { Code } from '../../src/codes.js';
import { agentHash } from '../../src/objects/claims.js';
import { platformHash } from '../../src/objects/evidence.js';
import { claim, claimSame } from './claim.js';
import type { Facts } from './facts.js';

export function bindingIntent({ evidence, paymentSha256 }: Facts): void {
  claimSame({ 'the hash of the request': [evidence().payment.binding.paymentSha256, paymentSha256] }, 'binding.mismatch');
}

/** Also that the agent's key is the one of the mandate. */
export function bindingMandate({ evidence, mandate, mandateSha256 }: Facts): void {
  const { binding } = evidence().payment;
  claimSame({ 'the hash of the mandate': [binding.mandateSha256, mandateSha256], 'the key of the agent': [binding.jkt, thumbprint(mandate().mandate.value.cnf.jwk)] }, 'binding.mismatch');
}

export function bindingClosed({ evidence, closedSha256 }: Facts): void {
  claimSame({ 'the hash of the closed mandate': [evidence().payment.binding.closedSha256, closedSha256] }, 'binding.mismatch');
}

export function bindingAgent({ evidence }: Facts): void {
  const { binding, agent } = evidence().payment;
  claimSame({ 'the hash of what was measured of the agent': [binding.agentSha256, agentHash(agent)] }, 'binding.mismatch');
}

/** A cached quote of another moment cannot be put beside this payment, nor one made for another verifier. */
export function bindingPlatform({ evidence }: Facts): void {
  const { payment: { binding }, platform } = evidence();
  claimSame({ 'the hash of the platform part': [binding.platformSha256, platformHash(platform)], 'the audience': [binding.aud, platform.binding.aud] }, 'binding.mismatch');
}

/** The device record is the verifier's word on the key that signed. */
export function deviceAk({ evidence, device }: Facts): void {
  claimSame({ 'the attestation key': [evidence().akName, device().value.akName] }, 'device.unknown');
}

/** Which findings of the appraisal belong to which edge. What belongs to none is for the attestation result to say. */
const OF_SIGNATURE: readonly Code[] = ['quote.scheme', 'quote.signature', 'quote.signer'];
const OF_LOG = /^(?:register|log)\./;
const OF_BINDING = /^(?:quote|batch|clock|ctr)\./;

function claimNone({ findings }: { findings: readonly Finding[] }, belongs: (code: Code) => boolean): void {
  const first = findings.find(({ code }) => belongs(code));
  claim(first === undefined, first?.message ?? '', first?.code ?? null);
}

/** What was signed is the tree in which this binding is a leaf, and a quote over the platform part, in one boot and in time. */
export function attestBinding({ appraisal }: Facts): void {
  claimNone(appraisal(), (code) => OF_BINDING.test(code) && !OF_SIGNATURE.includes(code));
}

/** What was signed was signed by the key of the device record. */
export function attestAk({ appraisal }: Facts): void {
  claimNone(appraisal(), (code) => OF_SIGNATURE.includes(code));
}

/** The certified register is what the measurement log replays to. Last of the signed facts: nothing inauthentic is left after it. */
export function registerLog({ appraisal }: Facts): void {
  const result = appraisal();
  claimNone(result, (code) => OF_LOG.test(code));
  claim(result.authentic, 'the evidence is not authentic', result.code);
}
