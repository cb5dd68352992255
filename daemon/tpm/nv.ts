/**
 * NV indices of our own: written only by PolicySecret(AK), read by everybody. An index with an auth value could be undefined and rewritten by any
 * local process under the same Name; a policy is part of the Name.
 */
import {
  Attest, ChannelError, type Command, type Entity, type Input, NV_Certify, NV_DefineSpace, NV_Read, NV_UndefineSpace, type NvPublic, PolicySecret, RC, RH, type Session, type SessionOptions, Signature,
  type Tpm, decode, encode, nvNameOf, policySecretDigest, written,
} from '@ari-sidecar/tpm2';
import { toB64u } from '../../src/base/bytes.js';
import type { Attestation } from '../../src/objects/evidence.js';
import { handlesFrom, hierarchy, readNvPublic } from './endorsement.js';
import { answered } from './faults.js';
import type { Identity } from './identity.js';

const NONE = Buffer.alloc(0);
/** Handles from the configured one on that are looked at. */
const WINDOW = 64;

/** What an index needs of its surroundings. */
export interface NvRoom { readonly tpm: Tpm; readonly ak: Identity['ak']; readonly ownerAuth: Uint8Array }

/** PolicySecret(AK): the policy of everything that only this device may write or open. */
export const akPolicy = (akName: Uint8Array): Buffer => policySecretDigest(akName);

/**
 * A session that satisfies {@link akPolicy}, for one command.
 * @param salt a key of this TPM: with it the session encrypts what that command takes and answers first, such as a secret that is unsealed
 */
export const withAkPolicy = <T>({ tpm, ak }: Pick<NvRoom, 'tpm' | 'ak'>, use: (session: Session) => Promise<T>, salt?: SessionOptions['salt']): Promise<T> => tpm.withSession({ type: 'policy', ...(salt && { salt, encrypted: true }) }, async (session) => {
  await tpm.run(PolicySecret, { authHandle: ak, policySession: session.handle }, { nonceTPM: NONE, cpHashA: NONE, policyRef: NONE, expiration: 0 });
  return use(session);
});

/** The two byte strings of an attestation command as evidence carries them. */
export const attestationOf = (attest: Uint8Array, signature: Signature): Attestation => ({ attest: toB64u(attest), signature: toB64u(encode(Signature, signature)) });

/** A certification, and what it certifies. */
export interface Certified { readonly attestation: Attestation; readonly contents: Buffer }

/** The public areas that one purpose may have, best first: some TPMs have no room for the best. */
export type Variants = (handle: number, policy: Buffer) => NvPublic[];

const unwritten = (nvPublic: NvPublic): NvPublic => ({ ...nvPublic, attributes: { ...nvPublic.attributes, written: false } });
const sameIndex = (a: NvPublic, b: NvPublic): boolean => nvNameOf(unwritten(a)).equals(nvNameOf(unwritten(b)));

export class OwnIndex {
  readonly publicArea: NvPublic;
  readonly #room: NvRoom;

  private constructor(room: NvRoom, publicArea: NvPublic) {
    this.#room = room;
    this.publicArea = unwritten(publicArea);
  }

  /**
   * Our index, found by its public area or defined at the first free handle from `from` on. A foreign index is passed over, never touched.
   * @throws TpmError of TPM2_NV_DefineSpace: the owner's authorisation is not ours (BAD_AUTH), or there is no room (NV_SPACE)
   */
  static async open(room: NvRoom, from: number, variants: Variants): Promise<OwnIndex> {
    const policy = akPolicy(room.ak.name);
    const taken = (await handlesFrom(room.tpm, from)).filter((handle) => handle < from + WINDOW);
    for (const handle of taken) {
      const nvPublic = await readNvPublic(room.tpm, handle);
      if (nvPublic && variants(handle, policy).some((variant) => sameIndex(variant, nvPublic))) return new OwnIndex(room, nvPublic);
    }
    let free = from;
    while (taken.includes(free)) free++;
    return defineFirst(room, variants(free, policy)).then((made) => new OwnIndex(room, made));
  }

  get handle(): number {
    return this.publicArea.nvIndex;
  }

  /** The Name after the first write: the one that is enrolled and certified. */
  get writtenPublic(): NvPublic {
    return written(this.publicArea);
  }

  /** Whether the index holds a value; null when it is gone, or another stands in its place. */
  async isWritten(): Promise<boolean | null> {
    const nvPublic = await readNvPublic(this.#room.tpm, this.handle);
    return nvPublic && sameIndex(nvPublic, this.publicArea) ? nvPublic.attributes.written : null;
  }

  /** Defines the index again, empty, under the same Name. */
  async redefine(): Promise<void> {
    const { tpm, ownerAuth } = this.#room;
    const isWritten = await this.isWritten();
    const nvIndex = { handle: this.handle, name: nvNameOf(isWritten ? this.writtenPublic : this.publicArea) };
    if (isWritten !== null) await tpm.run(NV_UndefineSpace, { authHandle: hierarchy(RH.OWNER, ownerAuth), nvIndex }, {});
    await define(this.#room, this.publicArea);
  }

  /** Runs NV_Extend or NV_Increment as the attestation key's holder. */
  async write<P>(row: Command<'authHandle' | 'nvIndex', P>, params: Input<P>): Promise<void> {
    await withAkPolicy(this.#room, (session) => this.#room.tpm.run(row, { authHandle: { handle: this.handle, auth: session }, nvIndex: this.handle }, params));
  }

  /** The value of a counter, as it stands now. */
  async readNumber(): Promise<bigint> {
    const { data } = await this.#room.tpm.run(NV_Read, { authHandle: this.handle, nvIndex: this.handle }, { size: this.publicArea.dataSize, offset: 0 });
    return data.readBigUInt64BE();
  }

  /** TPM2_NV_Certify of the whole contents: an attest of type 8014 from offset 0. */
  async certify(qualifyingData: Uint8Array): Promise<Certified> {
    const nvIndex: Entity = { handle: this.handle, name: nvNameOf(this.writtenPublic) };
    const handles = { signHandle: this.#room.ak, authHandle: nvIndex, nvIndex };
    const answer = await this.#room.tpm.run(NV_Certify, handles, { qualifyingData, inScheme: { scheme: 'null' }, size: this.publicArea.dataSize, offset: 0 });
    const attest = decode(Attest, answer.certifyInfo);
    if (attest.type !== 'nv') throw new ChannelError('garbage', `TPM2_NV_Certify answered an attestation of type ${attest.type}`);
    return { attestation: attestationOf(answer.certifyInfo, answer.signature), contents: attest.attested.nvContents };
  }
}

async function define({ tpm, ownerAuth }: NvRoom, publicInfo: NvPublic): Promise<void> {
  await tpm.run(NV_DefineSpace, { authHandle: hierarchy(RH.OWNER, ownerAuth) }, { auth: NONE, publicInfo });
}

/** The best variant that the TPM has room for. */
async function defineFirst(room: NvRoom, [best, ...others]: NvPublic[]): Promise<NvPublic> {
  if (!best) throw new TypeError('an index has at least one public area');
  try {
    await define(room, best);
    return best;
  } catch (error) {
    if (!answered(error, RC.NV_SPACE) || others.length === 0) throw error;
    return defineFirst(room, others);
  }
}
