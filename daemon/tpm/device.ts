/** A TPM that is there: identity, register, counter and log, opened in the order in which each needs the one before. */
import { ReadPublic, type Tpm, TpmError, connect } from '@ari-sidecar/tpm2';
import { join } from 'node:path';
import { Fault, fault } from '../../src/base/fault.js';
import { readPrivate } from '../state.js';
import { Counter } from './counter.js';
import { readCertificate, readChain } from './endorsement.js';
import { tpmFault } from './faults.js';
import { type HierarchyAuths, type Identity, openIdentity } from './identity.js';
import { LogFile } from './logfile.js';
import { Measurements } from './measurements.js';
import type { NvRoom } from './nv.js';
import { type Bank, ChangeDetector, chooseBank } from './pcrs.js';
import { Register } from './register.js';
import { Sequence } from './sequence.js';
import { type Provider, openProvider } from './provider.js';
import { inTurn } from './turns.js';
import type { Log, ProverConfig } from './types.js';

/** How long one command may take; key generation ten times that. TPMs answer within 2 s (PC Client Platform TPM Profile, command durations). */
export const DEADLINE_MS = 5_000;

interface Parts {
  readonly tpm: Tpm;
  readonly identity: Identity;
  readonly certificate: Buffer | null;
  /** The maker's authorities above it, from NV. */
  readonly chain: readonly Buffer[];
  /** A cloud's key: one that was made ready, or why what the configuration names is none; neither where it names none. */
  readonly provider: Made<Provider | null>;
  readonly register: Register | null;
  readonly counter: Counter | null;
  /** Why there is no register or no counter. */
  readonly lacking: Fault | null;
  readonly bank: Bank;
  readonly file: LogFile;
  readonly measurements: Measurements;
  readonly sequence: Sequence;
}

export class Device {
  readonly parts: Parts;
  readonly changes = new ChangeDetector();
  readonly #turn = inTurn();
  #closed = false;

  constructor(parts: Parts) {
    this.parts = parts;
  }

  /** Work on log and register, which must not overlap. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    return this.#turn(() => {
      if (this.#closed) throw fault('tpm.busy');
      return work();
    });
  }

  /**
   * Work that a stranger may have disturbed by undefining the register: when the TPM refuses or the register holds something else, log and register are
   * made equal and it is tried once more.
   * @throws Fault tpm.reset when a new epoch must begin first
   */
  onRegister<T>(work: () => Promise<T>): Promise<T> {
    return this.inTurn(async () => {
      try {
        return await work();
      } catch (error) {
        const disturbed = error instanceof TpmError || (error instanceof Fault && error.code === 'register.value');
        if (!disturbed) throw error;
        if (!(await this.settle())) throw fault('tpm.reset');
        return work();
      }
    });
  }

  /** Makes log and register equal. @returns false when a new epoch must begin: then the key was seen to be there still, which TPM2_Clear would have ended */
  async settle(): Promise<boolean> {
    const { measurements, tpm, identity } = this.parts;
    if (await measurements.settle()) return true;
    await tpm.run(ReadPublic, { objectHandle: identity.ak.handle }, {});
    return false;
  }

  /** What is under way fails, and nothing more is written when this returns. */
  async close(): Promise<void> {
    this.#closed = true;
    const { tpm, file } = this.parts;
    await tpm.close();
    await this.#turn(() => file.close());
  }
}

/** @throws TpmError, ChannelError when the TPM cannot be used; Fault config.unreadable for a state file or authorisation that cannot be read */
export async function openDevice(config: ProverConfig, log: Log): Promise<Device> {
  const auths = { owner: await readAuth(config.ownerAuthFile), endorsement: await readAuth(config.endorsementAuthFile) };
  const tpm = await connect(config.channel, { deadline: DEADLINE_MS });
  try {
    return await assemble(tpm, config, auths, log);
  } catch (error) {
    await tpm.close();
    throw error;
  }
}

async function assemble(tpm: Tpm, config: ProverConfig, auths: HierarchyAuths, log: Log): Promise<Device> {
  const { stateDir, registerIndex, counterIndex } = config;
  const identity = await openIdentity(tpm, stateDir, auths, log);
  const room: NvRoom = { tpm, ak: identity.ak, ownerAuth: auths.owner };
  const register = await orFault(Register.open(room, registerIndex), config);
  const counter = await orFault(Counter.open(room, counterIndex), config);
  const file = await LogFile.open(join(stateDir, 'measurements.log'));
  try {
    const measurements = new Measurements(tpm, file, register.made, register.made?.index.handle ?? registerIndex, log);
    await measurements.settle();
    return new Device({
      tpm, identity, file, measurements,
      certificate: await readCertificate(tpm, identity.ek.kind),
      chain: await readChain(tpm),
      provider: await orFault(openProvider(tpm, config.provider, auths.endorsement), config),
      register: register.made, counter: counter.made, lacking: register.why ?? counter.why,
      bank: await chooseBank(tpm),
      sequence: await Sequence.open(join(stateDir, 'sequence.json')),
    });
  } catch (error) {
    await file.close();
    throw error;
  }
}

type Made<T> = { readonly made: T; readonly why: null } | { readonly made: null; readonly why: Fault };

/** What a TPM may lack, because its owner keeps it or has no room: then the tier falls. */
async function orFault<T>(opening: Promise<T>, { channel }: ProverConfig): Promise<Made<T>> {
  try {
    return { made: await opening, why: null };
  } catch (error) {
    if (error instanceof Fault && error.code === 'tpm.provider') return { made: null, why: error };
    if (!(error instanceof TpmError)) throw error;
    return { made: null, why: tpmFault(error, { channel, deadlineMs: DEADLINE_MS }) };
  }
}

/** The authorisation of a hierarchy: a file's content without its last newline; empty without a file. */
async function readAuth(path: string | undefined): Promise<Uint8Array> {
  if (path === undefined) return Buffer.alloc(0);
  const content = await readPrivate(path);
  if (content === null) throw fault('config.unreadable', { file: path, what: 'there is no such file' });
  return content.at(-1) === 0x0a ? content.subarray(0, -1) : content;
}
