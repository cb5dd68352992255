/**
 * The measurement register: an NV index of type EXTEND that a TPM reset or restart empties and that only the holder of the attestation key extends.
 * It is what PCRs 16 and 23 are not: no other local process can reset or write it. What it costs: whoever holds the owner's (usually empty)
 * authorisation can undefine it. That is seen, and healed by replay of the log.
 */
import { NV_Extend, NV_Read, RC, registerPublic } from '@ari-sidecar/tpm2';
import { fault } from '../../src/base/fault.js';
import type { Attestation } from '../../src/objects/evidence.js';
import { answered } from './faults.js';
import { type NvRoom, OwnIndex } from './nv.js';

export class Register {
  readonly index: OwnIndex;
  readonly #room: NvRoom;

  private constructor(room: NvRoom, index: OwnIndex) {
    this.#room = room;
    this.index = index;
  }

  /** In the TPM's RAM where it has room (no wear), else in its flash. @throws TpmError where neither can be had */
  static async open(room: NvRoom, from: number): Promise<Register> {
    return new Register(room, await OwnIndex.open(room, from, (handle, policy) => [registerPublic(handle, policy), registerPublic(handle, policy, { orderly: false })]));
  }

  /** The value in lower-case hex, or null when there is none: cleared, never written, gone, or replaced by a foreign index. */
  async read(): Promise<string | null> {
    if ((await this.index.isWritten()) !== true) return null;
    const nvIndex = this.index.handle;
    try {
      return (await this.#room.tpm.run(NV_Read, { authHandle: nvIndex, nvIndex }, { size: 32, offset: 0 })).data.toString('hex');
    } catch (error) {
      if (answered(error, RC.NV_UNINITIALIZED, RC.HANDLE)) return null;
      throw error;
    }
  }

  /**
   * Certified, and holding what the log gives: a register that a stranger made anew takes further digests without a word.
   * @throws Fault register.value when it holds anything else
   */
  async certify(qualifyingData: Uint8Array, value: string): Promise<Attestation> {
    const { attestation, contents } = await this.index.certify(qualifyingData);
    if (contents.toString('hex') !== value) throw fault('register.value');
    return attestation;
  }

  async extend(digests: readonly Uint8Array[]): Promise<void> {
    for (const data of digests) await this.index.write(NV_Extend, { data });
  }

  /** The register anew, holding exactly these digests: its value and its Name come out as they were. */
  async replace(digests: readonly Uint8Array[]): Promise<void> {
    await this.index.redefine();
    await this.extend(digests);
  }
}
