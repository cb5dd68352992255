/** C2SP wycheproof: the signatures, points and codes that this project checks, each forged in the ways that broke others. */
import { type KeyObject, createHmac, createECDH, createPublicKey, verify } from 'node:crypto';
import { publicKeyOf, templates } from '@ari-sidecar/tpm2';
import { expect } from 'vitest';
import { readAlgorithm, verifies } from '../../attest/x509/signature.js';
import { DerReader } from '../../attest/x509/der.js';
import { Oddities } from '../../attest/x509/oddities.js';
import { Fault } from '../../src/base/fault.js';
import { splitJws, verifyJws } from '../../src/base/jws.js';
import { type Vector, readJson, runVectors, skip, vectorsOf } from './run.js';

interface Test { tcId: number; comment: string; result: 'valid' | 'invalid' | 'acceptable'; flags: string[]; msg?: string; sig?: string; jws?: string; key?: string; tag?: string; public?: string; private?: string; shared?: string }
interface Group { type: string; comment?: string; publicKeyDer?: string; public?: Record<string, string>; tagSize?: number; tests: Test[] }
interface Case extends Test { id: string; group: Group }

const hex = (text = ''): Buffer => Buffer.from(text, 'hex');
const algorithm = (der: string) => readAlgorithm(new DerReader(hex(der), 0, new Oddities()).next('an algorithm'));
const ECDSA_SHA256 = algorithm('300a06082a8648ce3d040302');
const RSA_SHA256 = algorithm('300d06092a864886f70d01010b0500');
const PSS_SHA256 = algorithm('304106092a864886f70d01010a3034a00f300d06096086480165030402010500a11c301a06092a864886f70d010108300d06096086480165030402010500a203020120');

const keys = new Map<string, KeyObject>();
const keyOf = (der = ''): KeyObject => {
  const key = keys.get(der) ?? createPublicKey({ key: hex(der), format: 'der', type: 'spki' });
  keys.set(der, key);
  return key;
};

/** Whether the project takes what the test shows. */
const CHECKS: Record<string, (test: Case) => boolean> = {
  EcdsaVerify: ({ group, msg, sig }) => verifies(ECDSA_SHA256, keyOf(group.publicKeyDer), hex(msg), hex(sig)),
  RsassaPkcs1Verify: ({ group, msg, sig }) => verifies(RSA_SHA256, keyOf(group.publicKeyDer), hex(msg), hex(sig)),
  RsassaPssVerify: ({ group, msg, sig }) => verifies(PSS_SHA256, keyOf(group.publicKeyDer), hex(msg), hex(sig)),
  EddsaVerify: ({ group, msg, sig }) => verify(null, hex(msg), keyOf(group.publicKeyDer), hex(sig)),
  MacTest: ({ group, key, msg, tag }) => createHmac('sha256', hex(key)).update(hex(msg)).digest().subarray(0, group.tagSize! / 8).equals(hex(tag)),
  EcdhEcpointTest: isShared,
  JsonWebSignature: isSigned,
  RsaesOaepDecrypt: () => skip('OAEP is encrypted here and decrypted in the TPM'),
};

/** A point goes through the code that reads a TPM's public areas before anything is computed with it. */
function isShared({ public: point, private: secret, shared, flags }: Case): boolean {
  const bytes = hex(point);
  if (flags.includes('CompressedPoint')) return skip('a TPM shows both coordinates');
  if (bytes[0] !== 0x04 || bytes.length !== 65) return false;
  try {
    publicKeyOf({ ...templates.ekP256, unique: { x: bytes.subarray(1, 33), y: bytes.subarray(33) } });
    const own = createECDH('prime256v1');
    own.setPrivateKey(hex(secret!.padStart(64, '0').slice(-64)));
    return own.computeSecret(bytes).equals(hex(shared));
  } catch (error) {
    if (error instanceof TypeError) return false;
    throw error;
  }
}

function isSigned({ jws, group, result }: Case): boolean {
  if (group.public?.['alg'] !== 'ES256' && result !== 'invalid') return skip('only ES256 is taken');
  try {
    const token = splitJws(jws!);
    const { kty, crv, x, y } = group.public ?? {};
    return kty === 'EC' && verifyJws(token, createPublicKey({ key: { kty, crv: crv!, x: x!, y: y! }, format: 'jwk' }));
  } catch (error) {
    if (error instanceof Fault) return false;
    throw error;
  }
}

function check(test: Case): void {
  const taken = CHECKS[test.group.type]!(test);
  if (test.result !== 'acceptable') expect(taken, test.comment).toBe(test.result === 'valid');
}

const casesOf = ({ file, id }: Vector): Case[] => readJson<{ testGroups: Group[] }>(file).testGroups.flatMap((group) => group.tests.map((test) => ({ ...test, group, id: `${id.replace('wp-', '')} ${test.tcId}` })));
const cases = vectorsOf('crypto-wycheproof').flatMap(casesOf);
const TYP = 'RFC 8725 section 3.11: tokens here are explicitly typed, one without typ is refused';
const untyped = cases.filter(({ group, result }) => group.type === 'JsonWebSignature' && group.public?.['alg'] === 'ES256' && result === 'valid');
runVectors('crypto-wycheproof', cases, check, Object.fromEntries(untyped.map(({ id }) => [id, TYP])));
