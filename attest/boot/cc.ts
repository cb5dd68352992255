/**
 * CC event logs (CCEL): what firmware measured into the registers of a confidential machine. UEFI Specification section 38.4.1 maps PCRs to registers; Intel's TDX
 * Virtual Firmware Design Guide names them. For people who look at a log: no quote of such registers is verified here, and no tier rests on one.
 */
import type { HashAlg } from '@ari-sidecar/tpm2';
import { EV, typeName } from './events.js';
import type { BootEvent, BootLog } from './log.js';
import { eventsOf } from './replay.js';
import { type SecureBootReading, readEvents, refuse } from './secureboot.js';
import { readVariable } from './uefi.js';

/** By the index of an event: the register of TDX, and the PCRs that are measured into it. */
export const MEASUREMENT_REGISTERS: Readonly<Record<number, { readonly tdx: string; readonly pcrs: string }>> = {
  0: { tdx: 'MRTD', pcrs: '0' }, 1: { tdx: 'RTMR[0]', pcrs: '1, 7' }, 2: { tdx: 'RTMR[1]', pcrs: '2 to 6' }, 3: { tdx: 'RTMR[2]', pcrs: '8 to 15' }, 4: { tdx: 'RTMR[3]', pcrs: 'none' },
};
/** PCR 7 shares this register with PCR 1. */
const SECURE_BOOT_MR = 1;

const VARIABLES = ['SecureBoot', 'PK', 'KEK', 'db', 'dbx'];
/** What comes before the variables, once each: its data is not what is measured. */
const FIRST: readonly number[] = [EV.efiHandoffTables, EV.efiHandoffTables2, EV.efiPlatformFirmwareBlob, EV.efiPlatformFirmwareBlob2];

/**
 * Secure Boot as the log tells it. Boot variables, whose contents anybody with the machine's variables chooses, are measured into the same register: an event of
 * theirs can be retyped into a made-up SecureBoot. So the true variables must be where firmware measures them, first of all and in their order, with no room to
 * hide others before them. Behind the separator authorities and boot variables cannot be told apart.
 */
export const readCcSecureBoot = (log: BootLog, bank: HashAlg): SecureBootReading => readEvents(bank, () => secureBootEvents(eventsOf(log, bank, SECURE_BOOT_MR)));

function secureBootEvents(events: readonly BootEvent[]): BootEvent[] {
  const first = events.findIndex(({ type }) => !FIRST.includes(type));
  const begin = first === -1 ? events.length : first;
  const types = events.slice(0, begin).map(({ type }) => type);
  const again = types.findIndex((type, i) => types.indexOf(type) !== i);
  if (again !== -1) refuse(events[again]!, `a second ${typeName(types[again]!)}`);
  const [variables, [separator, ...rest]] = [events.slice(begin, begin + VARIABLES.length), events.slice(begin + VARIABLES.length)];
  variables.forEach((event, i) => { if (event.type !== EV.efiVariableDriverConfig || readVariable(event.data, event.at).name !== VARIABLES[i]) refuse(event, `${VARIABLES[i]} is not where firmware measures it`); });
  if (separator === undefined) return variables;
  if (separator.type !== EV.separator) refuse(separator, `a ${typeName(separator.type)} where the separator must be`);
  return [...variables, separator, ...rest.filter(({ type }) => type === EV.efiVariableAuthority)];
}
