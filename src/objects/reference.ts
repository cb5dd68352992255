/** Reference values: what a good machine measured, as the operator's policy holds it. Learnt from one machine, run in shadow, then enforced. */
import { z } from 'zod';
import { type Of, b64u, count, hex, record, text } from '../base/shape.js';

/** One PCR: each of its good values, and the events that made them, so that a difference can be named. After an update both old and new values stand here. */
export const pcrReference = record({ pcr: z.int().min(0).max(23), values: z.array(hex()).min(1).max(64), events: z.array(record({ digest: hex(), type: text(64) })).max(4096) });
export type PcrReference = Of<typeof pcrReference>;
export const bootReference = record({ bank: z.enum(['sha256', 'sha384']), pcrs: z.array(pcrReference).min(1).max(24) });
export type BootReference = Of<typeof bootReference>;

/**
 * One unified kernel image. `started`: digests of what the firmware starts, in order, when this image boots (PCR 4: loader, image, its kernel). `sections`: as
 * systemd-stub measures them (PCR 11). `commandLine`: the text of its `.cmdline`, null when it has none.
 */
export const ukiImage = record({
  started: z.array(hex()).min(1).max(16),
  sections: z.array(record({ name: z.string().regex(/^\.[a-z]{1,15}$/), digest: hex() })).min(1).max(64),
  commandLine: text(4096).nullable(),
});
export type UkiImage = Of<typeof ukiImage>;
/**
 * Unified kernel images that are good, and where in them the sidecar's files are: in the initrd, which is then the whole system, or on a root or /usr file system
 * that dm-verity holds to a hash in the image's command line.
 */
export const ukiReference = record({ bank: z.enum(['sha256', 'sha384']), sidecar: z.enum(['initrd', 'root', 'usr']), images: z.array(ukiImage).min(1).max(64) });
export type UkiReference = Of<typeof ukiReference>;

const path = text(4096);
/**
 * What IMA may have measured. `files`: good digests (`sha256:hex`) by path. `signers`: keys (SPKI) whose file signatures are good too. `closed`: a file that is
 * neither is a finding. `sidecar`: the sidecar's own files, which tier T3 must find in the list, each good.
 */
export const imaPolicy = record({
  files: z.array(record({ path, digests: z.array(text(160)).min(1).max(64) })).max(16_384),
  signers: z.array(b64u(1024)).max(64),
  closed: z.boolean(),
  maxViolations: count,
  sidecar: z.array(path).max(1024),
});
export type ImaPolicy = Of<typeof imaPolicy>;
