/**
 * A counter that never falls: not by undefining it, not by TPM2_Clear. It tells a verifier that state or TPM were not rolled back. A gap is no error:
 * an increment may be carried out though its answer was lost.
 */
import { NV_Increment, counterPublic } from '@ari-sidecar/tpm2';
import type { Attestation } from '../../src/objects/evidence.js';
import { type NvRoom, OwnIndex } from './nv.js';

export class Counter {
  readonly index: OwnIndex;

  private constructor(index: OwnIndex) {
    this.index = index;
  }

  /** Defined and incremented once, because a counter that was never incremented cannot be certified. @throws TpmError where it cannot be defined */
  static async open(room: NvRoom, from: number): Promise<Counter> {
    const counter = new Counter(await OwnIndex.open(room, from, (handle, policy) => [counterPublic(handle, policy)]));
    if ((await counter.index.isWritten()) === false) await counter.index.write(NV_Increment, {});
    return counter;
  }

  value(): Promise<bigint> {
    return this.index.readNumber();
  }

  /** One more. @returns the value, which nobody else changes within a turn of the TPM */
  async increment(): Promise<bigint> {
    await this.index.write(NV_Increment, {});
    return this.value();
  }

  async certify(qualifyingData: Uint8Array): Promise<Attestation> {
    return (await this.index.certify(qualifyingData)).attestation;
  }

  /** One more, certified. */
  async next(qualifyingData: Uint8Array): Promise<Attestation> {
    await this.index.write(NV_Increment, {});
    return this.certify(qualifyingData);
  }
}
