/** A passkey in software, as an authenticator and a browser make an assertion; each part may be changed before it is signed. */
import { createPrivateKey, generateKeyPairSync, sign } from 'node:crypto';
import { digest, toB64u } from '../../src/base/bytes.js';
import type { PublicJwk } from '../../src/base/shape.js';
import type { UserAssertion } from '../../src/objects/assertion.js';

export const RP = 'pay.example';
export const ORIGIN = 'https://wallet.pay.example';

export interface Made { client?: Record<string, unknown>; flags?: number; counter?: number; rp?: string; more?: Uint8Array; key?: Passkey }

export class Passkey {
  readonly jwk: PublicJwk;
  readonly kid: string;
  readonly private: ReturnType<typeof createPrivateKey>;

  constructor(kidOf: (jwk: PublicJwk) => string) {
    this.private = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;
    const { kty, crv, x, y } = this.private.export({ format: 'jwk' }) as PublicJwk;
    this.jwk = { kty, crv, x, y };
    this.kid = kidOf(this.jwk);
  }

  /** Flags: user present, user verified. */
  sign(challenge: Uint8Array, { client = {}, flags = 0x05, counter = 0, rp = RP, more = Buffer.alloc(0), key = this }: Made = {}): UserAssertion {
    const clientData = Buffer.from(JSON.stringify({ type: 'webauthn.get', challenge: toB64u(challenge), origin: ORIGIN, crossOrigin: false, ...client }));
    const authenticatorData = Buffer.concat([digest(rp), Buffer.from([flags]), Buffer.alloc(4), more]);
    authenticatorData.writeUInt32BE(counter, 33);
    const signature = sign('sha256', Buffer.concat([authenticatorData, digest(clientData)]), { key: key.private, dsaEncoding: 'der' });
    return { kid: this.kid, rpId: RP, clientData: toB64u(clientData), authenticatorData: toB64u(authenticatorData), signature: toB64u(signature) };
  }
}
