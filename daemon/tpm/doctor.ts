/** What `ari doctor` says of the TPM: each line one fact, and what to do about it. */
import type { Fault } from '../../src/base/fault.js';
import type { Device } from './device.js';
import { reasonOf } from './faults.js';
import { IMA_START, readKernelLogs } from './kernellogs.js';
import { readBoot } from './measurements.js';
import type { Fact } from './types.js';

const hexOf = (handle: number): string => handle.toString(16).padStart(8, '0');
const good = (name: string, detail: string): Fact => ({ name, ok: true, detail, fix: null });
const bad = (name: string, detail: string, fix: string): Fact => ({ name, ok: false, detail, fix });

export const absentFacts = (fault: Fault): Fact[] => [bad('tpm', reasonOf(fault), fault.fix)];

export async function deviceFacts({ parts: { tpm, identity, certificate, provider, register, counter, lacking, measurements } }: Device, channel: string, securityfs: string | null): Promise<Fact[]> {
  const { resetCount, restartCount } = await readBoot(tpm);
  const where = identity.persistent ? `persistent at ${hexOf(identity.ak.handle)}` : 'loaded at each start';
  const missing = (name: string, costs: string): Fact => bad(name, `${lacking ? reasonOf(lacking) : 'none'}: ${costs}`, lacking?.fix ?? 'see the log of the daemon');
  return [
    good('tpm', `${channel}, reset count ${resetCount}, restart count ${restartCount}`),
    ...(certificate ? [good('ek_certificate', `${identity.ek.kind}, ${certificate.length} bytes`)] : provider.made ? []
      : [bad('ek_certificate', 'none in the NV memory of the TPM: tier T1', 'use a TPM whose maker provisioned an endorsement certificate; in a cloud, name its attestation key in [tpm.provider]')]),
    ...(provider.made ? [good('provider_key', provider.made.place)] : provider.why ? [bad('provider_key', reasonOf(provider.why), provider.why.fix)] : []),
    good('attestation_key', `${identity.name.toString('hex')}, ${where}`),
    register ? good('register', hexOf(register.index.handle)) : missing('register', 'tier T1'),
    counter ? good('counter', hexOf(counter.index.handle)) : missing('counter', 'offline payments are refused'),
    good('log', measurements.describe()),
    ...(securityfs === null ? [] : await kernelLogFacts(securityfs)),
  ];
}

/** The kernel's logs, without which tier T3 is out of reach. */
async function kernelLogFacts(securityfs: string): Promise<Fact[]> {
  const { boot, ima, unsent } = await readKernelLogs(securityfs, IMA_START);
  const fact = (name: string, there: boolean, kind: string, fix: string): Fact =>
    (there ? good(name, 'readable') : bad(name, unsent.find(({ file }) => file.includes(kind))?.why ?? 'none', fix));
  return [
    fact('boot_log', boot !== null, 'bios', 'let the sidecar read /sys/kernel/security (CAP_DAC_READ_SEARCH); without the boot log the tier is T2'),
    fact('ima_list', ima !== null, 'ima/', 'boot with an IMA policy that measures the sidecar, and let the sidecar read its list; without it the tier is T2'),
  ];
}
