/**
 * What the kernel tells of files without being asked: inotify(7), and whether anybody may write a file now, by a read lease (fcntl(2), F_SETLEASE).
 *
 * Node's `fs.watch` is not enough: it hides lost notices, and hears nothing of a file that is opened, mapped and written through the mapping. Here such
 * a writer is heard when it opens the file (IN_OPEN), and one that has it open already is found by the lease, which the kernel refuses.
 */
import { closeSync } from 'node:fs';
import { Fault } from '../../src/base/fault.js';
import { openLibc } from '../native.js';

export const IN = { MODIFY: 0x2, ATTRIB: 0x4, CLOSE_WRITE: 0x8, OPEN: 0x20, MOVED_FROM: 0x40, MOVED_TO: 0x80, CREATE: 0x100, DELETE: 0x200, DELETE_SELF: 0x400, MOVE_SELF: 0x800, UNMOUNT: 0x2000, Q_OVERFLOW: 0x4000, IGNORED: 0x8000, ISDIR: 0x40000000 } as const;
const IN_ONLYDIR = 0x1000000, IN_DONT_FOLLOW = 0x2000000;

/** For the inode of a file, under whatever name it is reached. */
export const FILE_MASK = IN.MODIFY | IN.ATTRIB | IN.CLOSE_WRITE | IN.OPEN;
/** For the names in a folder. */
export const FOLDER_MASK = IN.CREATE | IN.DELETE | IN.MOVED_FROM | IN.MOVED_TO | IN.DELETE_SELF | IN.MOVE_SELF | IN_ONLYDIR | IN_DONT_FOLLOW;

export interface Notice { readonly wd: number; readonly mask: number; readonly name: string }

export interface Notices {
  /** A watch descriptor, the same for the same inode; null when the kernel grants none (fs.inotify.max_user_watches, permissions). Never given twice. */
  watch(path: string, mask: number): number | null;
  unwatch(wd: number): void;
  /** What was told since the last call; null when notices were lost. What happened before the call is in it: the kernel queues it in the writer's own time. */
  drain(): Notice[] | null;
  /** Does `work` only if nobody has this file open for writing, and lets nobody begin to while it runs; null otherwise, or when no lease may be taken. */
  unwritten<T>(fd: number, work: () => T): T | null;
  close(): void;
}

const IN_FLAGS = 0o2004000; // IN_NONBLOCK | IN_CLOEXEC
const F_SETSIG = 10, F_SETLEASE = 1024, F_RDLCK = 0, F_UNLCK = 2;
/** Ignored by default, unlike SIGIO: a writer that waits for the lease must not end this process. */
const SIGURG = 23;
const HEAD = 16, BYTES = 65_536;
/** Whoever makes notices as fast as they are read must not keep this process at it: what is more counts as lost. */
const MOST = 65_536;

/** @throws Fault peer.unidentified when native calls cannot be made here or the kernel gives no inotify instance */
export function openNotices(): Notices {
  try {
    return load();
  } catch (cause) {
    throw new Fault('peer.unidentified', { what: (cause as Error).message.split('\n')[0] ?? 'inotify' }, cause);
  }
}

function load(): Notices {
  const { libc } = openLibc();
  const add = libc.func('int inotify_add_watch(int, const char *, uint32_t)');
  const remove = libc.func('int inotify_rm_watch(int, int)');
  const read = libc.func('long read(int, _Out_ uint8_t *, size_t)');
  const fcntl = libc.func('int fcntl(int, int, ...)');
  const fd = Number(libc.func('int inotify_init1(int)')(IN_FLAGS));
  if (fd < 0) throw new Error('the kernel gives no inotify instance (fs.inotify.max_user_instances)');
  const buffer = Buffer.alloc(BYTES);
  return {
    watch(path, mask) {
      const wd = Number(add(fd, path, mask));
      return wd < 0 ? null : wd;
    },
    unwatch: (wd) => void remove(fd, wd),
    drain() {
      const notices: Notice[] = [];
      for (let bytes = Number(read(fd, buffer, BYTES)); bytes > 0; bytes = Number(read(fd, buffer, BYTES))) {
        parseNotices(buffer.subarray(0, bytes), notices);
        if (notices.length > MOST) return null;
      }
      return notices.some(({ mask }) => (mask & IN.Q_OVERFLOW) !== 0) ? null : notices;
    },
    close: () => closeSync(fd),
    unwritten(file, work) {
      fcntl(file, F_SETSIG, 'int', SIGURG);
      if (Number(fcntl(file, F_SETLEASE, 'int', F_RDLCK)) !== 0) return null;
      try {
        return work();
      } finally {
        fcntl(file, F_SETLEASE, 'int', F_UNLCK);
      }
    },
  };
}

/** `struct inotify_event`s one after another. */
export function parseNotices(bytes: Buffer, into: Notice[]): void {
  for (let at = 0; at + HEAD <= bytes.length;) {
    const length = bytes.readUInt32LE(at + 12);
    const name = bytes.toString('utf8', at + HEAD, at + HEAD + length).replace(/\0+$/, '');
    into.push({ wd: bytes.readInt32LE(at), mask: bytes.readUInt32LE(at + 4), name });
    at += HEAD + length;
  }
}
