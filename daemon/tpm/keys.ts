/**
 * The agents' payment keys K_a. A key is used in memory; at rest it is sealed by the TPM: a keyedhash object under the EK that opens by
 * PolicySecret(AK), so it takes this TPM, uncleared, and the state file of the attestation key. A stolen disk pays nothing. Without a TPM (tier T0)
 * it is a file of the daemon's own (0600), and is sealed as soon as there is a TPM. Alone it pays nothing: every payment also needs the attestation key.
 */
import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import { Create, Load, Public, RC, type Tpm, Unseal, decode, encode, sealedTemplate } from '@ari-sidecar/tpm2';
import { z } from 'zod';
import { fromB64u, sha256, toB64u } from '../../src/base/bytes.js';
import type { Fault } from '../../src/base/fault.js';
import { type Signer, signerFromJwk, signerOf, thumbprint } from '../../src/base/jws.js';
import { type Of, type PublicJwk, b64u, name, publicJwk, record } from '../../src/base/shape.js';
import { readState, writeState } from '../state.js';
import { withEk } from './endorsement.js';
import { answered } from './faults.js';
import type { Identity } from './identity.js';
import { akPolicy, withAkPolicy } from './nv.js';
import type { Log } from './types.js';

const NONE = Buffer.alloc(0);

const sealed = record({ public: b64u(1024), private: b64u(1024) });
type Sealed = Of<typeof sealed>;
/** Exactly one of `sealed` and `plain` is there; `plain` is the private scalar. */
const keyState = record({ v: z.literal('ari-key-1'), agentId: name(), jwk: publicJwk, sealed: sealed.nullable(), plain: b64u(32).nullable() });

/** The TPM that seals. */
export interface Sealer { readonly tpm: Tpm; readonly identity: Identity }

export class AgentKeys {
  readonly #dir: string;
  readonly #log: Log;
  /** Keys in use, by attestation key and agent: a cleared TPM ends them all, at once and not only at the next start. */
  readonly #open = new Map<string, Signer>();

  constructor(dir: string, log: Log) {
    this.#dir = dir;
    this.#log = log;
  }

  /** The key, unsealed or made. One call at a time. */
  async get(agentId: string, sealer: Sealer): Promise<Signer> {
    const place = `${sealer.identity.name.toString('hex')} ${agentId}`;
    const open = this.#open.get(place);
    if (open) return open;
    const known = await readState(this.#pathOf(agentId), keyState);
    const scalar = known && (known.plain ?? (known.sealed && (await unseal(sealer, known.sealed))));
    if (known && scalar === null) this.#log.warn({ event: 'key_lost', agent: agentId }, 'the TPM no longer opens the payment key: a new one is made, the user must sign new mandates');
    const signer = known && scalar ? signerFromJwk({ ...known.jwk, d: scalar }) : await this.#make(agentId, sealer);
    if (known?.plain) await this.#write(agentId, signer.jwk, known.plain, sealer);
    this.#open.set(place, signer);
    return signer;
  }

  /** The key while there is no TPM: one that a TPM sealed cannot sign now. */
  async getWithout(agentId: string, why: Fault): Promise<Signer> {
    const known = await readState(this.#pathOf(agentId), keyState);
    if (known?.sealed) return { kid: thumbprint(known.jwk), jwk: known.jwk, sign() { throw why; } };
    return known?.plain ? signerFromJwk({ ...known.jwk, d: known.plain }) : this.#make(agentId, null);
  }

  async #make(agentId: string, sealer: Sealer | null): Promise<Signer> {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const signer = signerOf(privateKey);
    await this.#write(agentId, signer.jwk, privateKey.export({ format: 'jwk' }).d ?? '', sealer);
    return signer;
  }

  async #write(agentId: string, jwk: PublicJwk, scalar: string, sealer: Sealer | null): Promise<void> {
    const rest = sealer ? { sealed: await seal(sealer, scalar), plain: null } : { sealed: null, plain: scalar };
    await writeState(this.#pathOf(agentId), keyState, { v: 'ari-key-1', agentId, jwk, ...rest });
  }

  /** By hash: an agent's name is no file name. */
  #pathOf(agentId: string): string {
    return join(this.#dir, `agent-${sha256(agentId)}.json`);
  }
}

async function seal({ tpm, identity }: Sealer, scalar: string): Promise<Sealed> {
  const inSensitive = { userAuth: NONE, data: fromB64u(scalar) ?? NONE };
  const params = { inSensitive, inPublic: sealedTemplate(akPolicy(identity.name)), outsideInfo: NONE, creationPCR: [] };
  return withEk(tpm, identity.ek, (ek) => ek.authorised(async (parent) => {
    const made = await tpm.run(Create, { parentHandle: parent }, params);
    return { public: toB64u(encode(Public, made.outPublic)), private: toB64u(made.outPrivate) };
  }));
}

/** Null when this TPM, or this attestation key, is not the one it was sealed to. The answer is encrypted on the bus: only the TPM that holds the EK knows the session's salt. */
async function unseal({ tpm, identity }: Sealer, blob: Sealed): Promise<string | null> {
  const params = { inPrivate: fromB64u(blob.private) ?? NONE, inPublic: decode(Public, fromB64u(blob.public) ?? NONE) };
  try {
    return await withEk(tpm, identity.ek, (ek) => {
      const loaded = ek.authorised((parent) => tpm.run(Load, { parentHandle: parent }, params));
      return tpm.withObject(loaded, ({ objectHandle, name }) => withAkPolicy({ tpm, ak: identity.ak }, async (session) =>
        toB64u((await tpm.run(Unseal, { itemHandle: { handle: objectHandle, name, auth: session } }, {})).outData), ek));
    });
  } catch (error) {
    if (answered(error, RC.INTEGRITY, RC.POLICY_FAIL)) return null;
    throw error;
  }
}
