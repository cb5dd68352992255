/** One valid piece of evidence, and the judgement of whatever an adversary makes of it: by the bytes of its TPM structures, or by its text on the wire. */
import { sha256 } from '../../../src/base/bytes.js';
import { Fault } from '../../../src/base/fault.js';
import type { Code } from '../../../src/codes.js';
import { type Shape, parse, stringify } from '../../../src/base/shape.js';
import { type Attestation, type Evidence, type PlatformEvidence, evidence as evidenceShape, platformEvidence as platformShape } from '../../../src/objects/evidence.js';
import type { PaymentInput, PlatformInput } from '../../../attest/types.js';
import { appraisePayment, appraisePlatform } from '../../../attest/verify/index.js';
import { TEST_POLICY, TestDevice } from '../../support/device.js';
import { VERIFIER } from '../../support/examples.js';

const nonce = sha256('connection');
type Place = 'quote' | 'register' | 'counter' | 'payment';
/** One TPM structure in the evidence. */
export interface Part { readonly what: string; readonly bytes: Buffer; judge(bytes: Buffer): Code | null }

export class Mutants {
  readonly device: TestDevice;
  readonly platform: PlatformEvidence;
  readonly good: Evidence;

  private constructor(device: TestDevice, platform: PlatformEvidence, good: Evidence) {
    this.device = device;
    this.platform = platform;
    this.good = good;
  }

  static async start(): Promise<Mutants> {
    const device = await TestDevice.start();
    await device.measure('agent_start');
    const platform = await device.platform({ nonce });
    return new Mutants(device, platform, await device.pay(platform));
  }

  get wire(): string {
    return stringify(evidenceShape, this.good);
  }

  get platformWire(): string {
    return stringify(platformShape, this.platform);
  }

  /** Attestation and signature of each place. */
  parts(): Part[] {
    const found: Record<Place, Attestation> = { quote: this.platform.quote, register: this.platform.register!, counter: this.platform.counter!, payment: this.good.payment.register! };
    return Object.entries(found).flatMap(([place, attestation]) => (['attest', 'signature'] as const).map((member) => ({
      what: `the ${member} of the ${place}`, bytes: Buffer.from(attestation[member], 'base64url'),
      judge: (bytes: Buffer) => this.#replaced(place as Place, { ...attestation, [member]: bytes.toString('base64url') }),
    })));
  }

  #replaced(place: Place, by: Attestation): Code | null {
    if (place === 'payment') return this.payment({ ...this.good, payment: { ...this.good.payment, register: by } });
    return this.judgePlatform({ ...this.platform, [place]: place === 'quote' ? { ...this.platform.quote, ...by } : by });
  }

  judgePlatform(evidence: PlatformEvidence): Code | null {
    const input: PlatformInput = { evidence, log: this.device.delta(), nonce, aud: VERIFIER, device: this.device.known(), policy: TEST_POLICY, connection: true };
    const { appraisal, next } = appraisePlatform(input);
    if (appraisal.authentic) return null;
    if (next !== null) throw new Error('refused evidence left something behind');
    return appraisal.findings[0]!.code;
  }

  /** Offline, so that the platform part inside is judged as well. */
  payment(evidence: Evidence): Code | null {
    const { nonce: over, aud, paymentSha256, mandateSha256, closedSha256, jkt } = this.good.payment.binding;
    const expected = { nonce: over, aud, paymentSha256, mandateSha256, closedSha256, jkt };
    const input: PaymentInput = { evidence, expected, device: this.device.known(), platform: null, manifest: this.device.manifest, policy: TEST_POLICY };
    const { authentic, code, next } = appraisePayment(input);
    if (authentic) return null;
    if (next !== null) throw new Error('refused evidence left something behind');
    return code;
  }

  /** The code that this text is refused with, as evidence of the payment; null when it is accepted. What is no fault is a crash, and rises. */
  judge(wire: string | Buffer): Code | null {
    return read(evidenceShape, wire, (evidence) => this.payment(evidence));
  }

  /** The same of a platform part alone. */
  judgePlatformText(wire: string | Buffer): Code | null {
    return read(platformShape, wire, (evidence) => this.judgePlatform(evidence));
  }
}

function read<T>(shape: Shape<T>, wire: string | Buffer, judge: (value: T) => Code | null): Code | null {
  try {
    return judge(parse(shape, wire));
  } catch (error) {
    if (error instanceof Fault && error.code !== 'bug.internal') return error.code;
    throw error;
  }
}
