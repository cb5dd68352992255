/**
 * Secure Boot as PCR 7 tells it. The log is the adversary's: types and data of events stand outside the digests, so an event's data is believed only when
 * its hash is the digest that was replayed, and the order, the number and the kind of events must be what firmware can make. Rules as in go-attestation's
 * event-log-disclosure: no unknown kinds, each separator once, variables before it and none twice, never in UEFI debug mode.
 */
import type { HashAlg } from '@ari-sidecar/tpm2';
import { Fault, fault } from '../../src/base/fault.js';
import { sha256 } from '../../src/base/bytes.js';
import { hashWith } from '../hashes.js';
import { EV, typeName } from './events.js';
import type { BootEvent, BootLog } from './log.js';
import { eventsOf } from './replay.js';
import { type UefiSignature, type UefiVariable, readSignatures, readVariable } from './uefi.js';

/** What allowed a piece of code to run. `sha256` is that of its data: of a certificate or a hash in db, with the owner before it. */
export interface Authority { readonly variable: string; readonly sha256: string }
export interface SecureBoot {
  /** The machine started with Secure Boot on. */
  readonly enabled: boolean;
  readonly pk: readonly UefiSignature[];
  readonly kek: readonly UefiSignature[];
  readonly db: readonly UefiSignature[];
  readonly dbx: readonly UefiSignature[];
  /** Used before and after the boot manager was called: option ROMs, then loaders. */
  readonly authorities: { readonly beforeSeparator: readonly Authority[]; readonly afterSeparator: readonly Authority[] };
  /** Firmware said that DMA protection is off. */
  readonly dmaUnprotected: boolean;
}
/** The state, or why the log does not tell it. */
export type SecureBootReading = { readonly known: true; readonly state: SecureBoot } | { readonly known: false; readonly why: string };

const DATABASES = { PK: 'pk', KEK: 'kek', db: 'db', dbx: 'dbx' } as const;
type Database = keyof typeof DATABASES;
const isDatabase = (name: string): name is Database => Object.hasOwn(DATABASES, name);
/** EV_EFI_VARIABLE_*: GUID, two lengths of 64 bits, name, data. */
const dataOffset = ({ name }: UefiVariable): number => 32 + 2 * name.length;

/** @param bank in which PCR 7 was found to be the log's: without that, the result means nothing */
export const readSecureBoot = (log: BootLog, bank: HashAlg): SecureBootReading => readEvents(bank, () => eventsOf(log, bank, 7));

/** @param events those that firmware measures for Secure Boot, in order; may throw a Fault where they are not to be told from others */
export function readEvents(bank: HashAlg, events: () => Iterable<BootEvent>): SecureBootReading {
  const reader = new Reader();
  try {
    for (const event of events()) reader.event(event, bank);
    return { known: true, state: reader.state() };
  } catch (error) {
    if (error instanceof Fault && error.code !== 'bug.internal') return { known: false, why: error.message };
    throw error;
  }
}

export const refuse = ({ n }: BootEvent, what: string): never => { throw fault('boot.secure_boot', { what: `event ${n}: ${what}` }); };

class Reader {
  readonly #variables = new Map<string, UefiVariable>();
  readonly #databases: Record<'pk' | 'kek' | 'db' | 'dbx', UefiSignature[]> = { pk: [], kek: [], db: [], dbx: [] };
  readonly #before: Authority[] = [];
  readonly #after: Authority[] = [];
  #separated = false;
  #dmaUnprotected = false;

  event(event: BootEvent, bank: HashAlg): void {
    if (!hashWith(bank, event.data).equals(event.digests[bank]!)) refuse(event, `the data of a ${typeName(event.type)} is not what was measured`);
    if (event.type === EV.separator) return this.#separator(event);
    if (event.type === EV.efiVariableDriverConfig) return this.#config(event);
    if (event.type === EV.efiVariableAuthority) return this.#authority(event);
    if (event.type === EV.efiAction) return this.#action(event);
    return refuse(event, `the type ${typeName(event.type)} has no place in PCR 7`);
  }

  /** Section 3.3.4.8: 00000000 or FFFFFFFF; 00000001 says that the firmware failed. */
  #separator(event: BootEvent): void {
    if (this.#separated) refuse(event, 'a second separator');
    if (event.data.length !== 4 || !['00000000', 'ffffffff'].includes(event.data.toString('hex'))) refuse(event, `a separator of ${event.data.toString('hex', 0, 16)}`);
    this.#separated = true;
  }

  #config(event: BootEvent): void {
    const variable = readVariable(event.data, event.at);
    const key = `${variable.guid} ${variable.name}`;
    if (this.#separated) refuse(event, `the variable ${printable(variable.name)} behind the separator`);
    if (this.#variables.has(key)) refuse(event, `the variable ${printable(variable.name)} twice`);
    this.#variables.set(key, variable);
    if (isDatabase(variable.name)) this.#databases[DATABASES[variable.name]] = readSignatures(variable.data, event.at + dataOffset(variable));
  }

  #authority(event: BootEvent): void {
    const { name, data } = readVariable(event.data, event.at);
    (this.#separated ? this.#after : this.#before).push({ variable: printable(name), sha256: sha256(data) });
  }

  #action(event: BootEvent): void {
    const words = event.data.toString('latin1').replace(/\0$/, '');
    if (words !== 'DMA Protection Disabled') refuse(event, `the action "${printable(words)}"`);
    this.#dmaUnprotected = true;
  }

  state(): SecureBoot {
    const named = [...this.#variables.values()].filter(({ name }) => name === 'SecureBoot');
    const [secureBoot] = named;
    if (secureBoot === undefined || named.length > 1) throw fault('boot.secure_boot', { what: `${named.length} variables SecureBoot` });
    if (!this.#separated) throw fault('boot.secure_boot', { what: 'no separator' });
    if (secureBoot.data.length > 1) throw fault('boot.secure_boot', { what: `SecureBoot of ${secureBoot.data.length} bytes` });
    return {
      enabled: secureBoot.data[0] === 1, ...this.#databases,
      authorities: { beforeSeparator: this.#before, afterSeparator: this.#after }, dmaUnprotected: this.#dmaUnprotected,
    };
  }
}

/** What an adversary wrote never stands raw in a sentence. */
export const printable = (text: string, max = 64): string => text.slice(0, max).replace(/[^\x20-\x7e]/g, '?');
