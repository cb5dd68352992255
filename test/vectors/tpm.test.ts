import { type KeyObject, constants, createHash, createPrivateKey, createPublicKey, privateDecrypt } from 'node:crypto';
import { expect } from 'vitest';
import {
  ALG, Attest, type AttestOf, CreationData, type HashAlg, Public, Sensitive, Signature, type SignatureScheme, decode, encode, kdfA, kdfE, makeCredential, nameOf, publicFromKey, publicKeyOf, templates, verifySignature,
} from '@ari-sidecar/tpm2';
import { readPublic } from '../../attest/inspect/index.js';
import { seedFor } from '../../tpm2/src/seed.js';
import { type Vector, read, readJson, runVectors, skip, vectorsOf } from './run.js';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');
const hashNamed = (alg: number | string): HashAlg => Object.entries(ALG).find(([, value]) => value === Number(alg))![0] as HashAlg;
const only = (id: string): Vector[] => [...vectorsOf('tpm-crypto'), ...vectorsOf('tpm-marshal')].filter((vector) => vector.id === id);
const rows = <T extends object>(id: string, name: (row: T) => string): (T & { id: string })[] => only(id).flatMap(({ file }) => readJson<T[]>(file)).map((row) => ({ ...row, id: `${id} ${name(row)}` }));

/* Key derivation and shared secrets. */

interface Kdf { Name: string; HashAlg: string; Key: string; Z: string; Label: string; ContextU: string; ContextV: string; Bits: string; Result: string }
runVectors('tpm-crypto', rows<Kdf>('tm-gotpm-kdfa-public', ({ Name }) => Name), (row) => {
  expect(kdfA(hashNamed(row.HashAlg), hex(row.Key), row.Label, hex(row.ContextU), hex(row.ContextV), Number(row.Bits)).toString('hex')).toBe(row.Result);
});
runVectors('tpm-crypto', rows<Kdf>('tm-gotpm-kdfe-public', ({ Name }) => Name), (row) => {
  expect(kdfE(hashNamed(row.HashAlg), hex(row.Z), row.Label, hex(row.ContextU), hex(row.ContextV), Number(row.Bits)).toString('hex')).toBe(row.Result);
});

interface Encapsulation { Name: string; Label: string; PublicKey: string; PrivateKey: string; EphemeralPrivate: string; Secret: string; Ciphertext: string }
runVectors('tpm-crypto', rows<Encapsulation>('tm-gotpm-ecc_labeled_encaps-public', ({ Name }) => Name), ({ Label, PublicKey, EphemeralPrivate, Secret, Ciphertext }) => {
  if (Label === 'DUPLICATE') return skip('for TPM2_Import, which nothing here uses');
  const { seed, encryptedSecret } = seedFor(decode(Public, hex(PublicKey)), Label as 'IDENTITY' | 'SECRET', hex(EphemeralPrivate));
  expect({ seed: seed.toString('hex'), encryptedSecret: encryptedSecret.toString('hex') }).toEqual({ seed: Secret, encryptedSecret: Ciphertext });
});
runVectors('tpm-crypto', rows<Encapsulation>('tm-gotpm-rsa_labeled_encaps-public', ({ Name }) => Name), ({ Label, PublicKey, PrivateKey, Secret, Ciphertext }) => {
  const area = decode(Public, hex(PublicKey));
  const { n, e } = publicKeyOf(area).export({ format: 'jwk' });
  const key = privateOf(number(Buffer.from(n!, 'base64url')), number(Buffer.from(e!, 'base64url')), number(decode(Sensitive, hex(PrivateKey)).sensitive));
  const { scheme } = (area as Extract<Public, { type: 'rsa' }>).parameters;
  const oaepHash = scheme.scheme === 'oaep' ? scheme.hashAlg : (area.nameAlg as HashAlg);
  expect(privateDecrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash, oaepLabel: Buffer.from(`${Label}\0`) }, hex(Ciphertext)).toString('hex')).toBe(Secret);
});

/* seedFor's RSA half takes its salt from node:crypto: what others made is opened by the same rules instead. */
const number = (bytes: Uint8Array): bigint => BigInt(`0x${Buffer.from(bytes).toString('hex')}`);
const b64u = (value: bigint): string => { const text = value.toString(16); return Buffer.from(text.padStart(text.length + (text.length % 2), '0'), 'hex').toString('base64url'); };
function inverse(a: bigint, m: bigint): bigint {
  let [r, next, t, after] = [m, a % m, 0n, 1n];
  while (next > 0n) [r, next, t, after] = [next, r % next, after, t - (r / next) * after];
  return t < 0n ? t + m : t;
}
function privateOf(n: bigint, e: bigint, p: bigint): KeyObject {
  const q = n / p;
  const d = inverse(e, (p - 1n) * (q - 1n));
  const jwk = { kty: 'RSA', n: b64u(n), e: b64u(e), d: b64u(d), p: b64u(p), q: b64u(q), dp: b64u(d % (p - 1n)), dq: b64u(d % (q - 1n)), qi: b64u(inverse(q, p)) };
  return createPrivateKey({ key: jwk, format: 'jwk' });
}

interface Activation { name: string; ekPubPem: string; akNameDigest: string; secret: string; expectedCredBlobAndSecret: string }
runVectors('tpm-crypto', rows<Activation>('tm-gotpm-credactivation', ({ name }) => name), ({ name, ekPubPem, akNameDigest, secret, expectedCredBlobAndSecret }) => {
  if (name === 'ecc') return skip('its ephemeral key comes from a reader of zeros, which is no key that node:crypto can be given');
  const ekPublic = publicFromKey(createPublicKey(ekPubPem), templates.ekRsa2048);
  const { credentialBlob } = makeCredential({ ekPublic, akName: hex(`000b${akNameDigest}`), secret: hex(secret), seed: Buffer.alloc(16) });
  expect(expectedCredBlobAndSecret.startsWith(`0044${credentialBlob.toString('hex')}`)).toBe(true);
});

/* Structures. */

interface Created { test: string; Public: string; CreateData: string; CreateAttestation: string; CreateSignature?: string; mut?: string; oracle: { signatureValid?: boolean } }
runVectors('tpm-marshal', rows<Created>('tm-goattest-activation', ({ test }) => test), (row) => {
  const area = decode(Public, hex(row.Public));
  const attest = decode(Attest, hex(row.CreateAttestation)) as AttestOf<'creation'>;
  expect(encode(CreationData, decode(CreationData, hex(row.CreateData))).toString('hex')).toBe(row.CreateData);
  expect(nameOf(area).equals(attest.attested.objectName)).toBe(true);
  expect(createHash('sha256').update(hex(row.CreateData)).digest().equals(attest.attested.creationHash)).toBe(true);
  const key = publicKeyOf(area);
  if (row.CreateSignature !== undefined) {
    const signature = decode(Signature, hex(row.CreateSignature));
    expect(verifySignature(key, hex(row.CreateAttestation), signature, { sigAlg: signature.sigAlg, hash: (signature as { hash: HashAlg }).hash } as SignatureScheme)).toBe(row.oracle.signatureValid);
  } else for (const sigAlg of ['ecdsa', 'rsassa'] as const) expect(verifySignature(key, hex(row.CreateAttestation), { sigAlg, hash: 'sha256', sig: Buffer.alloc(256), signatureR: Buffer.alloc(32), signatureS: Buffer.alloc(32) } as never, { sigAlg, hash: 'sha256' })).toBe(false);
  if (row.mut !== undefined && area.type === 'ecc') expect(() => publicKeyOf({ ...area, parameters: { ...area.parameters, curveID: 'p224' } })).toThrow('not supported');
});

interface Named { name: string; tpm2bPublic: string; objectName: string; attributes: string }
runVectors('tpm-marshal', rows<Named>('tm-keylime-objects', ({ name }) => name), ({ tpm2bPublic, objectName }) => {
  expect(nameOf(readPublic(hex(tpm2bPublic))).toString('hex')).toBe(objectName);
});

interface Area { objectName?: string; type?: string; equalsNameOf?: string; matches?: boolean; is?: string }
function area({ file, expected }: Vector<Area>): void {
  if (expected.equalsNameOf !== undefined) {
    const [other] = only(expected.equalsNameOf);
    return expect(nameOf(readPublic(read(other!.file))).equals(read(file))).toBe(expected.matches);
  }
  if (expected.type === undefined) return skip(`no structure of attestation: ${expected.is}`);
  const value = readPublic(read(file));
  expect(encode(Public, value).equals(read(file))).toBe(true);
  if (expected.objectName !== undefined) expect(nameOf(value).toString('hex')).toBe(expected.objectName);
}
runVectors('tpm-marshal', vectorsOf('tpm-marshal').filter(({ file }) => !file.endsWith('.json')), area);
