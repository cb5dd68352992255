import { createHash } from 'node:crypto';

/** Boot logs and IMA lists as firmware and kernels write them, made by the test. */
const le = (value: number, size = 4): Buffer => { const bytes = Buffer.alloc(8); bytes.writeBigUInt64LE(BigInt(value)); return bytes.subarray(0, size); };
const sized = (data: Uint8Array): Buffer => Buffer.concat([le(data.length), data]);
export const hashOf = (alg: string, data: Uint8Array): Buffer => createHash(alg).update(data).digest();

export interface MadeEvent { pcr: number; type: number; data?: Uint8Array; /** what was measured, where it is not the data */ measured?: Uint8Array }
const ALGS = { sha1: [4, 20], sha256: [11, 32], sha384: [12, 48] } as const;
type Alg = keyof typeof ALGS;

export const specId = (banks: readonly Alg[] = ['sha1', 'sha256']): Buffer => {
  const data = Buffer.concat([Buffer.from('Spec ID Event03\0'), le(0), Buffer.from([0, 2, 0, 2]), le(banks.length), ...banks.map((bank) => Buffer.concat([le(ALGS[bank][0], 2), le(ALGS[bank][1], 2)])), Buffer.of(0)]);
  return Buffer.concat([le(0), le(3), Buffer.alloc(20), sized(data)]);
};
export const agileEvent = ({ pcr, type, data = Buffer.alloc(0), measured = data }: MadeEvent, banks: readonly Alg[] = ['sha1', 'sha256']): Buffer =>
  Buffer.concat([le(pcr), le(type), le(banks.length), ...banks.flatMap((bank) => [le(ALGS[bank][0], 2), type === 3 ? Buffer.alloc(ALGS[bank][1]) : hashOf(bank, measured)]), sized(data)]);
export const agileLog = (events: readonly MadeEvent[], banks?: readonly Alg[]): Buffer => Buffer.concat([specId(banks), ...events.map((event) => agileEvent(event, banks))]);
export const sha1Log = (events: readonly MadeEvent[]): Buffer =>
  Buffer.concat(events.map(({ pcr, type, data = Buffer.alloc(0), measured = data }) => Buffer.concat([le(pcr), le(type), type === 3 ? Buffer.alloc(20) : hashOf('sha1', measured), sized(data)])));

const GLOBAL = Buffer.from('61dfe48bca93d211aa0d00e098032b8c', 'hex');
export const variable = (name: string, data: Uint8Array): Buffer => Buffer.concat([GLOBAL, le(name.length, 8), le(data.length, 8), Buffer.from(name, 'utf16le'), data]);
export const signatureList = (...signatures: Uint8Array[]): Buffer => {
  const each = signatures.map((signature) => Buffer.concat([Buffer.alloc(16, 7), signature]));
  return Buffer.concat([Buffer.from('a159c0a5e494a74a87b5ab155c2bf072', 'hex'), le(28 + each.reduce((sum, { length }) => sum + length, 0)), le(0), le(each[0]?.length ?? 17), ...each]);
};

/** The PCR 7 of a machine with Secure Boot on. */
export const SECURE_BOOT: readonly MadeEvent[] = [
  { pcr: 7, type: 0x80000001, data: variable('SecureBoot', Buffer.of(1)) },
  { pcr: 7, type: 0x80000001, data: variable('PK', signatureList(Buffer.from('the platform key'))) },
  { pcr: 7, type: 0x80000001, data: variable('KEK', signatureList(Buffer.from('an exchange key'))) },
  { pcr: 7, type: 0x80000001, data: variable('db', signatureList(Buffer.from('good signer'))) },
  { pcr: 7, type: 0x80000001, data: variable('dbx', signatureList(Buffer.from('bad image'))) },
  { pcr: 7, type: 4, data: Buffer.alloc(4) },
  { pcr: 7, type: 0x800000e0, data: variable('db', Buffer.from('good signer')) },
];
const separators = [0, 1, 2, 3, 4, 5, 6].map((pcr) => ({ pcr, type: 4, data: Buffer.alloc(4) }));
export const GOOD_BOOT: readonly MadeEvent[] = [
  { pcr: 0, type: 8, data: Buffer.from('firmware 1.0') }, { pcr: 0, type: 0x80000008, data: Buffer.from('where the volume lies'), measured: Buffer.from('the volume') },
  ...SECURE_BOOT.slice(0, 6), ...separators, ...SECURE_BOOT.slice(6),
  { pcr: 4, type: 0x80000003, data: Buffer.from('a device path'), measured: Buffer.from('the boot loader') },
];

const COMMAND_LINE = '/vmlinuz root=/dev/sda1 ro ima_policy=tcb';
/** The same machine, whose loader measures the kernel's command line as GRUB does. */
export const KERNEL_BOOT: readonly MadeEvent[] = [...GOOD_BOOT, { pcr: 8, type: 0x0d, data: Buffer.from(`kernel_cmdline: ${COMMAND_LINE}\0`), measured: Buffer.from(COMMAND_LINE) }];

/** What a policy must hold of it for IMA's word to count. */
export const kernelReference = (events = KERNEL_BOOT) => ({ bank: 'sha256' as const, pcrs: [4, 8].map((pcr) => ({ pcr, values: [pcrsOf(events).get(pcr)!.toString('hex')], events: [] })) });

/** PCR values of a log by a replay that shares nothing with the project's. */
export function pcrsOf(events: readonly MadeEvent[], bank: Alg = 'sha256', locality = 0): Map<number, Buffer> {
  const values = new Map<number, Buffer>();
  for (const { pcr, type, data = Buffer.alloc(0), measured = data } of events) {
    if (type === 3) continue;
    const start = Buffer.alloc(ALGS[bank][1]);
    if (pcr === 0) start[start.length - 1] = locality;
    values.set(pcr, hashOf(bank, Buffer.concat([values.get(pcr) ?? start, hashOf(bank, measured)])));
  }
  return values;
}

export interface MadeEntry { path: string; digest?: string; alg?: string; template?: 'ima-ng' | 'ima-sig' | 'ima-ngv2' | 'ima-buf'; sig?: Buffer; violation?: boolean }
export function templateData({ path, digest = '00'.repeat(32), alg = 'sha256', template = 'ima-ng', sig = Buffer.alloc(0) }: MadeEntry): Buffer {
  const d = Buffer.concat([Buffer.from(`${template === 'ima-ngv2' ? 'ima:' : ''}${alg}:\0`), Buffer.from(digest, 'hex')]);
  return Buffer.concat([sized(d), sized(Buffer.from(`${path}\0`)), ...(template === 'ima-sig' || template === 'ima-buf' ? [sized(sig)] : [])]);
}
const templateHash = (entry: MadeEntry): Buffer => (entry.violation === true ? Buffer.alloc(20) : hashOf('sha1', templateData(entry)));
export const binaryList = (entries: readonly MadeEntry[]): Buffer =>
  Buffer.concat(entries.map((entry) => Buffer.concat([le(10), templateHash(entry), sized(Buffer.from(entry.template ?? 'ima-ng')), sized(templateData(entry))])));
export const asciiList = (entries: readonly MadeEntry[]): Buffer => Buffer.from(entries.map((entry) => {
  const { path, digest = '00'.repeat(32), alg = 'sha256', template = 'ima-ng', sig } = entry;
  const words = [10, templateHash(entry).toString('hex'), template, `${template === 'ima-ngv2' ? 'ima:' : ''}${alg}:${digest}`, path, ...(template === 'ima-sig' || template === 'ima-buf' ? [sig?.toString('hex') ?? ''] : [])];
  return `${words.join(' ')}\n`;
}).join(''));

/** PCR 10 after these entries. */
export const pcr10Of = (entries: readonly MadeEntry[], bank: Alg = 'sha256', padded = false): Buffer => entries.reduce<Buffer>((value, entry) => {
  const own = padded ? Buffer.concat([hashOf('sha1', templateData(entry)), Buffer.alloc(ALGS[bank][1] - 20)]) : hashOf(bank, templateData(entry));
  return hashOf(bank, Buffer.concat([value, entry.violation === true ? Buffer.alloc(ALGS[bank][1], 0xff) : own]));
}, Buffer.alloc(ALGS[bank][1]));
