/** C2SP x509-limbo as far as a validator of TPM certificates meets it: RFC 5280 without the host names and issuance rules of the web. */
import { expect } from 'vitest';
import { Fault } from '../../src/base/fault.js';
import { type PathAnswer, findPath, readPem } from '../../attest/x509/index.js';
import { type RevocationList, readCrls, revoked } from '../../attest/x509/crl.js';
import type { Certificate } from '../../attest/x509/certificate.js';
import { VECTORS } from '../support/vectors.js';
import { readJson, runVectors, skip } from './run.js';

interface Case {
  id: string; validation_kind: 'SERVER' | 'CLIENT'; trusted_certs: string[]; untrusted_intermediates: string[]; peer_certificate: string; validation_time: string | null;
  extended_key_usage: string[]; max_chain_depth: number | null; crls: string[]; expected_result: 'SUCCESS' | 'FAILURE';
}
const PURPOSES: Record<string, string> = { serverAuth: '1.3.6.1.5.5.7.3.1', clientAuth: '1.3.6.1.5.5.7.3.2' };

/** Rules for what a web authority may issue, or for host names: a certificate of a TPM has no host name, and its makers are no members of that forum. */
const WEB: Record<string, string> = {
  'webpki::aki::': 'CA/B Baseline Requirements 7.1.2.1.3 on web roots; RFC 5280 section 4.2.1.1 allows both members',
  'webpki::cn::': 'CA/B Baseline Requirements 7.1.4.3: common name and SAN of web servers',
  'webpki::eku::': 'CA/B Baseline Requirements 7.1.2.1.2 and 7.1.2.7.10 on web servers; RFC 5280 section 4.2.1.12 allows it',
  'webpki::san::public-suffix': 'public suffixes of host names',
  'webpki::san::no-san': 'host name of a web server',
  'webpki::san::san-critical': 'CA/B Baseline Requirements 7.1.2.7.12; endorsement certificates have it so (TCG EK Credential Profile section 3.2)',
  'webpki::forbidden-rsa-not': 'CA/B Baseline Requirements 6.1.5; any length from 2048 to 4096 bits is taken here',
  'webpki::ee-basicconstraints-ca': 'CA/B Baseline Requirements 7.1.2.7.8; the endorsement check refuses authorities itself',
  'webpki::ca-as-leaf': 'CA/B Baseline Requirements 7.1.2.7.8; the endorsement check refuses authorities itself',
};

const certificates = (pems: readonly string[]): Certificate[] => pems.flatMap((pem) => {
  try {
    return readPem(pem);
  } catch (error) {
    if (error instanceof Fault) return [];
    throw error;
  }
});

function judged(one: Case): PathAnswer {
  const nowS = Math.floor((one.validation_time === null ? Date.now() : Date.parse(one.validation_time)) / 1000);
  const [wanted = one.validation_kind === 'SERVER' ? 'serverAuth' : 'clientAuth'] = one.extended_key_usage;
  const lists: RevocationList[] = one.crls.flatMap((pem) => readCrls(Buffer.from(pem)));
  return findPath({
    leaf: readPem(one.peer_certificate)[0]!, intermediates: certificates(one.untrusted_intermediates), nowS, purpose: PURPOSES[wanted]!, tolerated: new Set(),
    anchors: certificates(one.trusted_certs).map((certificate) => ({ certificate, simulated: false, uses: [] })),
    revocation: (path) => revoked(path, { lists, refuseStale: true }, nowS), ...(one.max_chain_depth !== null && { maxIntermediates: one.max_chain_depth }),
  });
}

function check(one: Case): void {
  const web = Object.keys(WEB).find((prefix) => one.id.startsWith(prefix));
  if (web !== undefined) return skip(WEB[web]!);
  let found: string;
  try {
    const answer = judged(one);
    found = answer.ok ? 'SUCCESS' : 'FAILURE';
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    found = 'FAILURE';
  }
  expect(found).toBe(one.expected_result);
}

runVectors('x509-limbo', VECTORS === null ? [] : readJson<{ testcases: Case[] }>('C2SP+x509-limbo/derived/limbo.public.json').testcases, check);
