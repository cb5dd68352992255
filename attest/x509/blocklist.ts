/** TPMs that are genuine and still not to be trusted: by manufacturer, model and firmware, as a list that an operator can replace. */
import { z } from 'zod';
import { record } from '../../src/base/shape.js';
import { isRoca } from './roca.js';
import { type TpmModel, vendorId } from './tpm.js';

const version = z.string().regex(/^[0-9]{1,5}(?:\.[0-9]{1,5}){0,3}$/);
/** Firmware from `from` on and before `below`, in up to four numbers; what is not written is 0. */
const range = record({ from: version, below: version });
const row = record({
  id: z.string().min(1).max(64),
  reason: z.string().min(1).max(512),
  reference: z.string().max(1024),
  /** TCG vendor id, e.g. `IFX`. */
  manufacturer: z.string().regex(/^[A-Z0-9]{1,4}$/),
  /** Exactly one of these; null: every model. */
  models: z.array(z.string().max(128)).max(64).nullable(),
  /** Kind of the endorsement key; null: any. */
  ek: z.enum(['rsa', 'ec']).nullable(),
  firmware: z.array(range).min(1).max(64),
});
/** The shape of the file. */
export const blockList = record({ rows: z.array(row).max(1024) });
export type BlockList = z.output<typeof blockList>;

/** A TPM as its certificate and its own signed word describe it. `firmware`: TPMS_ATTEST.firmwareVersion. */
export interface KnownTpm {
  readonly model: TpmModel | null;
  readonly ek: 'rsa' | 'ec';
  /** Of every RSA key that the TPM made and that is relied upon. */
  readonly moduli: readonly Uint8Array[];
  readonly firmware: bigint;
}

const words = (firmware: bigint): number[] => [48n, 32n, 16n, 0n].map((shift) => Number((firmware >> shift) & 0xffffn));
const parts = (text: string): number[] => [...text.split('.').map(Number), 0, 0, 0].slice(0, 4);
const isLess = (a: readonly number[], b: readonly number[]): boolean => {
  const at = a.findIndex((part, i) => part !== b[i]);
  return at >= 0 && a[at]! < b[at]!;
};

/** Four numbers, as makers write it: `7.63.13.6400`. */
export const firmwareText = (firmware: bigint): string => words(firmware).join('.');

/** Why the TPM is not trusted; null when no row speaks of it. The keys themselves are looked at first: they tell more than any version. */
export function blocked({ rows }: BlockList, { model, ek, moduli, firmware }: KnownTpm): string | null {
  if (moduli.some(isRoca)) return 'CVE-2017-15361: the private part of its RSA key can be computed';
  const vendor = model?.manufacturer == null ? null : vendorId(model.manufacturer);
  const now = words(firmware);
  const found = rows.find((each) =>
    each.manufacturer === vendor && (each.ek === null || each.ek === ek) && (each.models === null || each.models.includes(model?.model ?? ''))
    && each.firmware.some(({ from, below }) => !isLess(now, parts(from)) && isLess(now, parts(below))));
  return found === undefined ? null : `${found.id}: ${found.reason} (firmware ${firmwareText(firmware)})`;
}
