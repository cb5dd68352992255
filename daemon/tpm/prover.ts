/** The one object through which the daemon proves. The TPM may go and come back under it: that moves the tier, and never ends the process. */
import { platformBindingFor } from '../../attest/evidence.js';
import type { Sha256 } from '../../src/base/bytes.js';
import { type Fault, fault } from '../../src/base/fault.js';
import type { Json } from '../../src/base/json.js';
import type { Signer } from '../../src/base/jws.js';
import type { Code } from '../../src/codes.js';
import type { LinkBody } from '../../src/link.js';
import type { LogKind, Tier } from '../../src/names.js';
import type { LogDelta, PaymentEvidence, PlatformEvidence } from '../../src/objects/evidence.js';
import { DEADLINE_MS, type Device, openDevice } from './device.js';
import { absentFacts, deviceFacts } from './doctor.js';
import { enrolAnswer, enrolBegin } from './enrol.js';
import { isTrouble, reasonOf, tpmFault } from './faults.js';
import { type ImaPlace, SECURITYFS, imaListIn, readImaPiece } from './kernellogs.js';
import { AgentKeys } from './keys.js';
import { type ListBefore, ListCopy } from './listcopy.js';
import { type OfflineProof, type OfflineRequest, proveOffline } from './offline.js';
import { MOST_PAYMENTS, provePayments } from './payments.js';
import { platformEvidenceOf } from './platform.js';
import { inTurn, together } from './turns.js';
import type { EnrolAnswer, Fact, Log, PlatformRequest, ProofParts, Prover, ProverConfig } from './types.js';

/**
 * Opens the TPM and whatever of it is ours, or makes it at first use. TPM trouble is no error: the prover is there, at a lower tier, and says why.
 * @throws Fault config.unreadable for state files or authorisations that cannot be read
 */
export async function openProver(config: ProverConfig, log: Log): Promise<Prover> {
  const prover = new TpmProver(config, log);
  await prover.recover();
  return prover;
}

class TpmProver implements Prover {
  readonly #config: ProverConfig;
  readonly #log: Log;
  readonly #keys: AgentKeys;
  readonly #opening = inTurn();
  readonly #unlocking = inTurn();
  readonly #refreshing = inTurn();
  readonly #keeping = inTurn();
  readonly #lists: ListCopy;
  readonly #payments: (parts: ProofParts) => Promise<PaymentEvidence>;
  #device: Device | null = null;
  #trouble: Fault;
  #closing: Promise<void> = Promise.resolve();

  constructor(config: ProverConfig, log: Log) {
    this.#config = config;
    this.#log = log;
    this.#keys = new AgentKeys(config.stateDir, log);
    this.#lists = new ListCopy(config.stateDir);
    this.#trouble = fault('tpm.absent', { channel: config.channel });
    this.#payments = together((all) => this.#use((device) => device.onRegister(() => provePayments(device.parts, all))), MOST_PAYMENTS);
  }

  get tier(): Tier {
    const parts = this.#device?.parts;
    return !parts ? 'T0' : (parts.certificate ?? parts.provider.made) && parts.register ? 'T2' : 'T1';
  }

  get reason(): string | null {
    const parts = this.#device?.parts;
    if (!parts) return reasonOf(this.#trouble);
    if (!parts.register && parts.lacking) return reasonOf(parts.lacking);
    if (parts.certificate ?? parts.provider.made) return null;
    return parts.provider.why ? reasonOf(parts.provider.why) : 'the TPM holds no endorsement certificate';
  }

  get fault(): Code | null {
    return this.#device ? null : this.#trouble.code;
  }

  get akName(): string | null {
    return this.#device?.parts.identity.name.toString('hex') ?? null;
  }

  enrolBegin(code: string): LinkBody<'enrol_begin'> {
    return enrolBegin(this.#present(), code);
  }

  enrolAnswer(challenge: LinkBody<'enrol_challenge'>): Promise<EnrolAnswer> {
    return this.#use((device) => enrolAnswer(device, challenge));
  }

  beginEpoch(nonce: Sha256): Promise<void> {
    return this.#use((device) => device.inTurn(() => begin(device, nonce)));
  }

  append(kind: LogKind, data: Record<string, Json>): Promise<void> {
    return this.#use((device) => device.onRegister(() => device.parts.measurements.append(kind, data)));
  }

  log(from: number): LogDelta {
    return this.#present().parts.measurements.delta(from);
  }

  platform({ nonce, aud, pcrs, connection, ima }: PlatformRequest): Promise<PlatformEvidence> {
    return this.#refreshing(() => this.#use((device) => device.inTurn(async () => {
      await begin(device, nonce);
      const { parts, changes } = device;
      return platformEvidenceOf({ ...parts, changes, securityfs: securityfsOf(this.#config) }, platformBindingFor(nonce, aud, parts.measurements.head()), pcrs, connection, ima);
    })));
  }

  async imaPiece(place: ImaPlace): Promise<LinkBody<'ima_append'> | null> {
    const securityfs = securityfsOf(this.#config);
    return securityfs === null ? null : readImaPiece(securityfs, place);
  }

  async keepIma(place: ImaPlace): Promise<ListBefore | null> {
    const securityfs = securityfsOf(this.#config);
    return securityfs === null ? null : this.#keeping(() => this.#lists.upTo(imaListIn(securityfs), place));
  }

  platformChanged(): Promise<boolean> {
    return this.#use(({ parts, changes }) => changes.changed(parts.tpm, parts.bank));
  }

  prove(parts: ProofParts): Promise<PaymentEvidence> {
    return this.#payments(parts);
  }

  proveOffline(request: OfflineRequest): Promise<OfflineProof> {
    return this.#use((device) => device.onRegister(() => proveOffline({ ...device.parts, changes: device.changes, securityfs: securityfsOf(this.#config) }, request)));
  }

  agentKey(agentId: string): Promise<Signer> {
    return this.#unlocking(async () => {
      try {
        return await this.#use(({ parts }) => this.#keys.get(agentId, parts));
      } catch (error) {
        if (this.#device) throw error;
        return this.#keys.getWithout(agentId, this.#trouble);
      }
    });
  }

  async doctor(): Promise<Fact[]> {
    try {
      return await this.#use((device) => deviceFacts(device, this.#config.channel, securityfsOf(this.#config)));
    } catch (error) {
      if (this.#device) throw error;
      return absentFacts(this.#trouble);
    }
  }

  recover(): Promise<boolean> {
    return this.#opening(async () => {
      if (this.#device) return false;
      await this.#closing;
      try {
        this.#device = await openDevice(this.#config, this.#log);
      } catch (error) {
        if (!isTrouble(error)) throw error;
        this.#trouble = this.#faultOf(error);
        return false;
      }
      this.#log.info({ tier: this.tier, ak: this.akName }, this.reason ?? 'the TPM is ready');
      return true;
    });
  }

  close(): Promise<void> {
    return this.#opening(async () => {
      if (this.#device) this.#lose(this.#device, fault('tpm.absent', { channel: this.#config.channel }));
      await this.#closing;
    });
  }

  #present(): Device {
    if (!this.#device) throw this.#trouble;
    return this.#device;
  }

  /** Any trouble with the TPM ends its use: `recover` builds everything anew, by the path of every start. */
  async #use<T>(work: (device: Device) => Promise<T>): Promise<T> {
    const device = this.#present();
    try {
      return await work(device);
    } catch (error) {
      if (!isTrouble(error)) throw error;
      const trouble = this.#faultOf(error);
      if (this.#device === device) {
        this.#log.warn({ code: trouble.code }, trouble.message);
        this.#lose(device, trouble);
      }
      throw trouble;
    }
  }

  #lose(device: Device, trouble: Fault): void {
    this.#device = null;
    this.#trouble = trouble;
    this.#closing = device.close().catch((error: unknown) => this.#log.warn({ error: String(error) }, 'the TPM was not closed in order'));
  }

  #faultOf(error: unknown): Fault {
    return tpmFault(error, { channel: this.#config.channel, deadlineMs: DEADLINE_MS });
  }
}

/** The kernel's logs are those of the kernel's TPM. */
const securityfsOf = ({ channel, securityfs }: ProverConfig): string | null => securityfs ?? (channel.startsWith('device:') ? SECURITYFS : null);

/** Makes log and register equal; begins a new epoch where the old one ended. */
async function begin(device: Device, nonce: Sha256): Promise<void> {
  if (!(await device.settle())) await device.parts.measurements.begin(nonce);
}
