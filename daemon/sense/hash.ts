/**
 * Hashes of files: read once, then guarded by change detection.
 *
 * ctime alone is no guard: a writer with a shared mapping changes bytes without moving it as long as the page is dirty. So the order is fstat,
 * fsync (the page becomes clean: the next store moves ctime), hash, fstat unchanged, and the hash is kept only when ctime is older than
 * {@link SETTLED_MS}. On file systems where this was not seen to hold (tmpfs, overlay, network, FUSE) the file is read each time.
 */
import { createHash } from 'node:crypto';
import { constants, type BigIntStats } from 'node:fs';
import { type FileHandle, open, statfs } from 'node:fs/promises';
import type { Sha256 } from '../../src/base/bytes.js';

/** Margin for coarse kernel clocks. */
const SETTLED_MS = 2000;
const CHUNK = 1 << 20;
const KEPT = 262_144;

/** Magic numbers (statfs(2)) of file systems whose shared mappings move ctime after fsync, or that cannot be written: ext4, xfs, btrfs, squashfs, erofs. */
const GUARDED = new Set([0xef53, 0x58465342, 0x9123683e, 0x73717368, 0xe0f5e1e2]);

export interface HashedFile { readonly sha256: Sha256; readonly dev: string; readonly ino: string }
interface Kept { readonly state: string; readonly sha256: Sha256 }

const identity = (stat: BigIntStats): string => `${stat.dev}:${stat.ino}`;
const stateOf = (stat: BigIntStats): string => `${stat.size}:${stat.ctimeNs}:${stat.mtimeNs}`;

/** The hashes of one sidecar. Keyed by (dev, ino), guarded by (size, ctime, mtime). */
export class FileHashes {
  private readonly kept = new Map<string, Kept>();
  private readonly nowMs: () => number;

  constructor(nowMs: () => number = Date.now) {
    this.nowMs = nowMs;
  }

  /** SHA-256 of a regular file through its open inode. @throws ErrnoException; an Error when it is no regular file or keeps changing */
  async hash(path: string): Promise<HashedFile> {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      return await this.hashOpen(file);
    } finally {
      await file.close();
    }
  }

  private async hashOpen(file: FileHandle): Promise<HashedFile> {
    const stat = await file.stat({ bigint: true });
    if (!stat.isFile()) throw new Error('no regular file');
    const found = { dev: stat.dev.toString(), ino: stat.ino.toString() };
    const kept = this.kept.get(identity(stat));
    if (kept?.state === stateOf(stat)) return { ...found, sha256: kept.sha256 };
    for (let attempt = 0; attempt < 3; attempt++) {
      const sha256 = await this.read(file);
      if (sha256 !== null) return { ...found, sha256 };
    }
    throw new Error('the file changes while it is read');
  }

  /** One careful reading; null when the file changed during it. */
  private async read(file: FileHandle): Promise<Sha256 | null> {
    const before = await file.stat({ bigint: true });
    const guarded = GUARDED.has((await statfs(`/proc/self/fd/${file.fd}`)).type);
    if (guarded) await file.sync();
    const sha256 = await digestOf(file);
    const after = await file.stat({ bigint: true });
    if (stateOf(before) !== stateOf(after)) return null;
    if (guarded && this.nowMs() - Number(after.ctimeMs) > SETTLED_MS) this.keep(identity(after), { state: stateOf(after), sha256 });
    return sha256;
  }

  private keep(key: string, value: Kept): void {
    if (this.kept.size >= KEPT) this.kept.clear();
    this.kept.set(key, value);
  }
}

/** In pieces, so that a long file does not hold up the loop. */
async function digestOf(file: FileHandle): Promise<Sha256> {
  const digest = createHash('sha256');
  const { size } = await file.stat();
  const buffer = Buffer.allocUnsafe(Math.max(1, Math.min(size, CHUNK)));
  for (let position = 0; ;) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    if (bytesRead === 0) return digest.digest('base64url');
    digest.update(buffer.subarray(0, bytesRead));
    position += bytesRead;
  }
}

/** The cache of this process: door and sense share what was read. */
export const fileHashes = new FileHashes();
