/** Evidence of this project in words: what it says, before anything of it is checked. */
import { fromB64u } from '../../src/base/bytes.js';
import { Fault } from '../../src/base/fault.js';
import { type Json, parseJson } from '../../src/base/json.js';
import { decode } from '../../src/base/shape.js';
import { bundle } from '../../src/objects/bundle.js';
import { type Attestation, type Evidence, type PlatformEvidence, evidence, evidenceHash, platformEvidence, platformHash } from '../../src/objects/evidence.js';
import { parseIma } from '../ima/index.js';
import { inspectEventLog } from './logs.js';
import { describeAttest, readAttestation } from './structures.js';

type Described = { [member: string]: Json };
const bytesOf = (text: string): Buffer => fromB64u(text) ?? Buffer.alloc(0);
const attested = (attestation: Attestation | null): Json => (attestation === null ? null : describeAttest(readAttestation(bytesOf(attestation.attest)).attest));

/**
 * An evidence, a platform part alone, or a bundle with evidence in it.
 * @throws Fault intake.* for what is none of them, or the code of the part that cannot be read
 */
export function inspectEvidence(file: Buffer): Described {
  const json = parseJson(file);
  const version = typeof json === 'object' && json !== null && !Array.isArray(json) ? json['v'] : undefined;
  if (version === 'ari-bundle-1') return whole(decode(bundle, json, 'bundle').evidence ?? missing());
  const isWhole = typeof json === 'object' && json !== null && 'eat_profile' in json;
  return isWhole ? whole(decode(evidence, json, 'evidence')) : { platform: platform(decode(platformEvidence, json, 'platform evidence')) };
}

function missing(): never {
  throw new Fault('intake.malformed', { what: 'the bundle has no evidence' });
}

function whole(value: Evidence): Described {
  const { binding, register, quote, batch, log, agent } = value.payment;
  return {
    evidenceSha256: evidenceHash(value), akName: value.akName, platform: platform(value.platform),
    payment: {
      nonce: binding.nonce, paymentSha256: binding.paymentSha256, mandateSha256: binding.mandateSha256, agentSha256: binding.agentSha256, seq: binding.seq,
      register: attested(register), quote: attested(quote), batch: { index: batch.index, size: batch.size }, log: { epoch: log.epoch, from: log.from, entries: log.entries.length }, agent: agent.agentId,
    },
  };
}

function platform(value: PlatformEvidence): Described {
  const { quote, boot, ima } = value;
  return {
    platformSha256: platformHash(value), nonce: value.binding.nonce, quote: attested(quote), pcrs: { [quote.bank]: quote.pcrs }, register: attested(value.register), counter: attested(value.counter),
    boot: boot === null ? null : { ...inspectEventLog(bytesOf(boot.data)).report },
    ima: ima === null ? null : { format: ima.format, from: ima.from, entries: parseIma(ima.format, bytesOf(ima.data), ima.from).length },
  };
}
