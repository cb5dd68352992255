/** One authorization session: nonces, keys and HMACs of Part 1 sections 19 and 21. */
import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import type { AuthCommand, AuthResponse } from './commands/message.js';
import type { Command } from './commands/row.js';
import { ChannelError } from './errors.js';
import { handleBytes } from './handles.js';
import { kdfA } from './kdf.js';
import { HASH_SIZE, type HashAlg, SessionAttributes } from './structures/index.js';

const NO_KEY = Buffer.alloc(0);

export interface SessionStart {
  readonly type: 'hmac' | 'policy' | 'trial';
  readonly hash: HashAlg;
  readonly handle: number;
  readonly nonceCaller: Buffer;
  readonly nonceTPM: Buffer;
  /** The salt that only the TPM could decrypt; empty when unsalted. */
  readonly salt: Uint8Array;
}

/** The parts of a command or response that an HMAC covers besides the nonces. */
export interface Covered {
  /** cpHash or rpHash, by the session's hash. */
  hash(alg: HashAlg): Buffer;
}

/**
 * Made by Tpm.startSession. An HMAC session lives until it is flushed; a policy session ends with its first successful use, unless `continueSession` is set.
 * Not for two commands at once: the client's queue sees to that.
 */
export class Session {
  readonly type: SessionStart['type'];
  readonly hash: HashAlg;
  readonly handle: number;
  continueSession: boolean;
  /** Encrypt the first parameter both ways, where the command has one that can be: needs a salted session to be worth anything. */
  readonly encrypted: boolean;
  nonceTPM: Buffer;
  nonceCaller: Buffer;
  /** Set when the connection was lost while it was in use: whether its nonces moved is unknown. */
  lost = false;
  /** Set when the TPM has ended it by itself, after a successful use without `continueSession`. */
  ended = false;
  readonly #key: Buffer;

  constructor(start: SessionStart, encrypted = false) {
    this.type = start.type;
    this.hash = start.hash;
    this.handle = start.handle;
    this.nonceTPM = start.nonceTPM;
    this.nonceCaller = start.nonceCaller;
    this.continueSession = start.type === 'hmac';
    this.encrypted = encrypted;
    // Part 1 section 19.6.8: no bind entity here, so the salt alone; none, no key.
    this.#key = start.salt.byteLength === 0 ? NO_KEY : kdfA(start.hash, start.salt, 'ATH', start.nonceTPM, start.nonceCaller, HASH_SIZE[start.hash] * 8);
  }

  /** A fresh nonceCaller for the next command. */
  roll(): void {
    if (this.lost) throw new ChannelError('closed', 'the session was lost with the connection');
    this.nonceCaller = randomBytes(HASH_SIZE[this.hash]);
  }

  /** sessionKey || authValue. Trailing zeros of an authValue do not count (Part 1 section 19.6.4.3), and HMAC's zero padding makes them harmless. */
  value(authValue: Uint8Array): Buffer {
    return Buffer.concat([this.#key, authValue]);
  }

  /** This session's entry of the authorization area. `others`: nonceTPM of a decrypt and of an encrypt session that is not this one, for the first session. */
  authorise(authValue: Uint8Array, covered: Covered, others: readonly Uint8Array[], encryptable: Command['encryptable']): AuthCommand {
    const sessionAttributes = this.#attributes(encryptable);
    const key = this.value(authValue);
    const plain = key.length === 0 && this.type === 'policy';
    const hmac = plain ? NO_KEY : this.#mac(key, covered, [this.nonceCaller, this.nonceTPM, ...others], sessionAttributes);
    return { sessionHandle: this.handle, nonce: this.nonceCaller, sessionAttributes, hmac };
  }

  /**
   * Checks the TPM's HMAC over its answer, in constant time, and rolls nonceTPM.
   * @throws ChannelError garbage: somebody between us and the TPM changed the answer, or it is no answer to this command.
   */
  verify(authValue: Uint8Array, response: AuthResponse, covered: Covered): void {
    const key = this.value(authValue);
    this.nonceTPM = Buffer.from(response.nonce);
    if (key.length === 0 && this.type === 'policy' && response.hmac.length === 0) return;
    const must = this.#mac(key, covered, [this.nonceTPM, this.nonceCaller], response.sessionAttributes);
    if (response.hmac.length === must.length && timingSafeEqual(must, response.hmac)) return;
    this.lost = true;
    throw new ChannelError('garbage', 'the HMAC of the response is wrong: it does not come from the TPM as it is');
  }

  #mac(key: Buffer, covered: Covered, nonces: readonly Uint8Array[], attributes: SessionAttributes): Buffer {
    const mac = createHmac(this.hash, key).update(covered.hash(this.hash));
    for (const nonce of nonces) mac.update(nonce);
    return mac.update(Buffer.of(SessionAttributes.toNumber(attributes))).digest();
  }

  #attributes({ command, response }: Command['encryptable']): SessionAttributes {
    const { encrypted, continueSession } = this;
    return { continueSession, auditExclusive: false, auditReset: false, decrypt: encrypted && command, encrypt: encrypted && response, audit: false };
  }
}

/** cpHash, Part 1 section 18.7: H(commandCode || Names || parameters). */
export function cpHash(alg: HashAlg, code: number, names: readonly Uint8Array[], parameters: Uint8Array): Buffer {
  const hash = createHash(alg).update(handleBytes(code));
  for (const name of names) hash.update(name);
  return hash.update(parameters).digest();
}

/** rpHash, Part 1 section 18.8: H(responseCode || commandCode || parameters). */
export function rpHash(alg: HashAlg, code: number, responseCode: number, parameters: Uint8Array): Buffer {
  return createHash(alg).update(handleBytes(responseCode)).update(handleBytes(code)).update(parameters).digest();
}
