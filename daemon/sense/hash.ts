/**
 * Hashes of files: read once, then guarded by change detection.
 *
 * ctime alone is no guard: a writer with a shared mapping changes bytes without moving it as long as the page is dirty. So the order is fstat, fsync
 * (the page becomes clean: the next store moves ctime), hash, fstat unchanged, and the hash is kept only when ctime is older than {@link SETTLED_MS}.
 *
 * A kept file is *quiet* when nobody has it open for writing (a lease says so) and the kernel tells of everyone who opens it from then on: it is not
 * looked at again before somebody did. Whoever is told of is looked at by {@link FileHashes.settle}. When notices are lost nothing is kept: all is
 * read again. On file systems where the order above was not seen to hold (tmpfs, overlay, network, FUSE) every file is read each time.
 */
import { createHash } from 'node:crypto';
import { type BigIntStats, closeSync, constants, fstatSync, openSync, readlinkSync, statfsSync } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
import type { Sha256 } from '../../src/base/bytes.js';
import { heldBy } from '../capabilities.js';
import { FILE_MASK, FOLDER_MASK, IN, type Notice, type Notices, openNotices } from './notices.js';

/** Margin for coarse kernel clocks. */
const SETTLED_MS = 2000;
/** What is told is taken in at least so often: when something was heard is known so well. */
const HEARD_MS = 1000;
const CHUNK = 1 << 20;
const KEPT = 262_144;
const OPEN = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

/** Magic numbers (statfs(2)) of file systems whose shared mappings move ctime after fsync, or that cannot be written: ext4, xfs, btrfs, squashfs, erofs. */
const GUARDED = new Set([0xef53, 0x58465342, 0x9123683e, 0x73717368, 0xe0f5e1e2]);

/** `quiet`: the hash holds until {@link FileHashes.changes} moves. `ctimeMs`: when inode or content changed last. */
export interface HashedFile { readonly sha256: Sha256; readonly dev: string; readonly ino: string; readonly ctimeMs: number; readonly quiet: boolean }
interface Kept { readonly state: string; readonly sha256: Sha256; wd: number | null }
type Heard = (notice: Notice) => void;

const identity = (found: BigIntStats): string => `${found.dev}:${found.ino}`;
const stateOf = (found: BigIntStats): string => `${found.size}:${found.ctimeNs}:${found.mtimeNs}`;
const hashed = (found: BigIntStats, sha256: Sha256, quiet: boolean): HashedFile => ({ sha256, dev: found.dev.toString(), ino: found.ino.toString(), ctimeMs: Number(found.ctimeMs), quiet });

/** The hashes of one sidecar. Keyed by (dev, ino), guarded by (size, ctime, mtime) and by what the kernel tells. */
export class FileHashes {
  private readonly kept = new Map<string, Kept>();
  /** By watch descriptor: whose file it is, and a name that led to it. */
  private readonly watched = new Map<number, { readonly key: string; readonly name: string }>();
  private readonly folders = new Map<number, Map<string, Heard>>();
  private readonly reading = new Map<string, Promise<HashedFile>>();
  private readonly nowMs: () => number;
  /** Of files, and of names in folders, apart: everybody who may read a file makes notices of it, and must not drown the others. */
  private notices: Notices | null | undefined;
  private names: Notices | null | undefined;
  private clock: NodeJS.Timeout | undefined;
  private moves = 0;

  constructor(nowMs: () => number = Date.now) {
    this.nowMs = nowMs;
  }

  /** Moves whenever a quiet file may no longer be what it was. */
  get changes(): number {
    return this.moves;
  }

  /** SHA-256 of a regular file through its open inode. @throws ErrnoException; an Error when it is no regular file or keeps changing */
  async hash(path: string): Promise<HashedFile> {
    const found = await stat(path, { bigint: true });
    if (!found.isFile()) throw new Error('no regular file');
    const key = identity(found);
    const kept = this.kept.get(key);
    if (kept?.state === stateOf(found) && (kept.wd !== null || !mayLease(found.uid))) return hashed(found, kept.sha256, kept.wd !== null);
    const reading = this.reading.get(key) ?? this.openAndHash(path).finally(() => this.reading.delete(key));
    this.reading.set(key, reading);
    return reading;
  }

  /** Takes in what was told since the last call, and looks at every file somebody opened. After it, quiet files are what they were unless {@link changes} moved. */
  settle(): void {
    this.settleNames();
    const notices = this.ofFiles()?.drain();
    if (notices === undefined) return;
    if (notices === null) return this.forgetFiles();
    for (const wd of new Set(notices.map((notice) => notice.wd))) if (this.watched.has(wd)) this.lookAgain(wd);
  }

  private settleNames(): void {
    const notices = this.ofNames()?.drain();
    if (notices === undefined) return;
    if (notices === null) return this.forgetNames();
    for (const notice of notices) {
      for (const heard of this.folders.get(notice.wd)?.values() ?? []) heard(notice);
      if ((notice.mask & (IN.IGNORED | IN.UNMOUNT)) !== 0) this.folders.delete(notice.wd);
    }
  }

  /** Tells `heard` of every name that comes, goes or moves in a folder, from now on, in place of whom the same `owner` had told; and once, with Q_OVERFLOW, that nothing more will be told, for some was lost. @returns false when the kernel does not tell of this one */
  watchFolder(path: string, owner: string, heard: Heard): boolean {
    const wd = this.ofNames()?.watch(path, FOLDER_MASK) ?? null;
    if (wd === null || !isGuarded(path)) return false;
    const listeners = this.folders.get(wd) ?? new Map<string, Heard>();
    this.folders.set(wd, listeners.set(owner, heard));
    return true;
  }

  private ofFiles(): Notices | null {
    return (this.notices ??= this.opened(this.notices));
  }

  private ofNames(): Notices | null {
    return (this.names ??= this.opened(this.names));
  }

  /** Null stays null: a kernel that gives none is not asked again. */
  private opened(before: null | undefined): Notices | null {
    if (before === null) return null;
    try {
      const notices = openNotices();
      this.clock ??= setInterval(() => this.settle(), HEARD_MS).unref();
      return notices;
    } catch {
      return null;
    }
  }

  private async openAndHash(path: string): Promise<HashedFile> {
    const file = await open(path, OPEN);
    try {
      return await this.hashOpen(file);
    } finally {
      await file.close();
    }
  }

  private async hashOpen(file: FileHandle): Promise<HashedFile> {
    const found = await file.stat({ bigint: true });
    if (!found.isFile()) throw new Error('no regular file');
    const kept = this.kept.get(identity(found));
    if (kept?.state === stateOf(found)) return hashed(found, kept.sha256, kept.wd !== null || this.watchFile(file.fd, kept, found));
    for (let attempt = 0; attempt < 3; attempt++) {
      const read = await this.read(file);
      if (read !== null) return read;
    }
    throw new Error('the file changes while it is read');
  }

  /** One careful reading; null when the file changed during it. */
  private async read(file: FileHandle): Promise<HashedFile | null> {
    const before = await file.stat({ bigint: true });
    const guarded = isGuarded(`/proc/self/fd/${file.fd}`);
    if (guarded) await file.sync();
    const sha256 = await digestOf(file);
    const after = await file.stat({ bigint: true });
    if (stateOf(before) !== stateOf(after)) return null;
    if (!guarded || this.nowMs() - Number(after.ctimeMs) <= SETTLED_MS) return hashed(after, sha256, false);
    const kept: Kept = { state: stateOf(after), sha256, wd: null };
    this.keep(identity(after), kept);
    return hashed(after, sha256, this.watchFile(file.fd, kept, after));
  }

  /** From now on everyone is heard who opens this file, and nobody has it open for writing: then it is quiet. */
  private watchFile(fd: number, kept: Kept, { dev, ino }: BigIntStats): boolean {
    const notices = this.ofFiles();
    const unchanged = (): boolean => stateOf(fstatSync(fd, { bigint: true })) === kept.state;
    kept.wd = notices?.unwritten(fd, () => (unchanged() ? notices.watch(`/proc/self/fd/${fd}`, FILE_MASK) : null)) ?? null;
    if (kept.wd !== null) this.watched.set(kept.wd, { key: `${dev}:${ino}`, name: readlinkSync(`/proc/self/fd/${fd}`) });
    return kept.wd !== null;
  }

  /** A file that somebody opened is watched anew, as at first: or it is no longer kept. The old watch goes before the file is opened here. */
  private lookAgain(wd: number): void {
    const { key, name } = this.watched.get(wd)!;
    const kept = this.kept.get(key);
    this.watched.delete(wd);
    this.notices?.unwatch(wd);
    if (kept?.wd !== wd || this.isSame(key, name, kept)) return;
    this.kept.delete(key);
    this.moves++;
  }

  private isSame(key: string, name: string, kept: Kept): boolean {
    let fd: number | null = null;
    try {
      fd = openSync(name, OPEN);
      const found = fstatSync(fd, { bigint: true });
      return identity(found) === key && this.watchFile(fd, kept, found);
    } catch {
      return false;
    } finally {
      if (fd !== null) closeSync(fd);
    }
  }

  private keep(key: string, value: Kept): void {
    if (this.kept.size >= KEPT) this.forgetFiles();
    if (this.kept.has(key)) this.moves++;
    this.kept.set(key, value);
  }

  private forgetFiles(): void {
    this.notices?.close();
    this.notices = undefined;
    this.kept.clear();
    this.watched.clear();
    this.moves++;
  }

  private forgetNames(): void {
    this.names?.close();
    this.names = undefined;
    const told = [...this.folders.entries()];
    this.folders.clear();
    for (const [wd, listeners] of told) for (const heard of listeners.values()) heard({ wd, mask: IN.Q_OVERFLOW, name: '' });
  }
}

function isGuarded(path: string): boolean {
  return GUARDED.has(statfsSync(path).type);
}

let own: { readonly uid: bigint; readonly ofOthers: boolean } | undefined;
/** Whether this process may ask of a file of this user if somebody has it open for writing (fcntl(2), F_SETLEASE): where not, it need not be opened to try. */
function mayLease(uid: bigint): boolean {
  if (own === undefined) {
    const held = heldBy('self');
    own = { uid: BigInt(held.uid), ofOthers: !held.lacking.some(({ name }) => name === 'CAP_LEASE') };
  }
  return own.ofOthers || own.uid === uid;
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
