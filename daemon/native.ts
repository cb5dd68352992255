/**
 * Native calls: what the kernel knows of a unix socket's peer, which Node cannot ask. 64-bit little-endian Linux. (The others are inotify and leases
 * in `sense/notices.ts`, and exec through a descriptor in `launch/exec.ts`.)
 *
 * Nothing in /proc can stand in for SO_PEERCRED (it lists sockets, not their peers), so without koffi nobody is identified and nobody is
 * served: {@link native} throws. What may be missing in an older kernel lowers less: see {@link Native.pidfd}.
 */
import { createRequire } from 'node:module';
import { getSystemErrorName } from 'node:util';
import type { node as KoffiNode } from 'koffi';
import { Fault } from '../src/base/fault.js';

/** `struct ucred`, in our namespaces: pid is 0 and uid 65534 for whom they do not show. */
export interface Credentials { readonly pid: number; readonly uid: number; readonly gid: number }
/** Bytes of one writer. `from` is null when the kernel attached no credentials. An empty `data` is the end of the stream. */
export interface Received { readonly data: Buffer; readonly from: Credentials | null }
/** Calls back while the descriptor is readable, between start and stop. Close it before the descriptor. */
export type Watch = KoffiNode.PollHandle;

export interface Native {
  /** SO_PEERCRED: who called connect(). */
  peerCredentials(fd: number): Credentials;
  /** A descriptor of the process that connected (SO_PEERPIDFD, Linux 6.5); before that of the process that has its pid now, which is checked by start time only. */
  pidfd(fd: number, pid: number): number;
  /** A descriptor of the process that has this pid now; null when none has. */
  openProcess(pid: number): number | null;
  exited(pidfd: number): boolean;
  /** SO_PASSCRED: from now on each message carries its writer's credentials and messages of two writers are never joined. Inherited by accepted sockets. */
  passCredentials(fd: number): void;
  /** Reads without waiting; null when nothing is there. @throws Error with the errno's name */
  receive(fd: number): Received | null;
  /** A second descriptor of the same socket, closed on exec. */
  duplicate(fd: number): number;
  watch(fd: number, readable: () => void): Watch;
  /** Since the machine booted, ms, suspended or not: the clock by which /proc/PID/stat tells when a process began. */
  sinceBootMs(): number;
}

const SOL_SOCKET = 1, SO_PASSCRED = 16, SO_PEERCRED = 17, SO_PEERPIDFD = 77;
const SYS_PIDFD_OPEN = 434, POLLIN = 1, F_DUPFD_CLOEXEC = 1030;
const SCM_CREDENTIALS = 2, MSG_DONTWAIT = 0x40, MSG_CMSG_CLOEXEC = 0x40000000;
const CLOCK_BOOTTIME = 7;
const ESRCH = 3, EINTR = 4, EAGAIN = 11, ENOPROTOOPT = 92;

/** Layout of the one receive buffer: struct msghdr, struct iovec, control, data. */
const IOVEC = 56, CONTROL = 72, CONTROL_BYTES = 128, DATA = CONTROL + CONTROL_BYTES, DATA_BYTES = 65_536;

let loaded: Native | undefined;

/** @throws Fault peer.unidentified when koffi cannot be loaded here */
export function native(): Native {
  try {
    return (loaded ??= load());
  } catch (cause) {
    throw new Fault('peer.unidentified', { what: (cause as Error).message.split('\n')[0] ?? 'koffi' }, cause);
  }
}

/** The C library, and koffi that calls it. @throws Error when koffi cannot be loaded here */
export function openLibc(): { koffi: typeof import('koffi'); libc: import('koffi').LibraryHandle } {
  const koffi = createRequire(import.meta.url)('koffi') as typeof import('koffi');
  return { koffi, libc: koffi.load(null) };
}

function load(): Native {
  const { koffi, libc } = openLibc();
  const getsockopt = libc.func('int getsockopt(int, int, int, _Out_ uint8_t *, _Inout_ uint32_t *)');
  const setsockopt = libc.func('int setsockopt(int, int, int, const int *, uint32_t)');
  const syscall = libc.func('long syscall(long, long, long)');
  const poll = libc.func('int poll(_Inout_ uint8_t *, unsigned long, int)');
  const fcntl = libc.func('int fcntl(int, int, ...)');
  const recvmsg = libc.func('long recvmsg(int, void *, int)');
  const clock = libc.func('int clock_gettime(int, _Out_ uint8_t *)');
  const message = new MessageBuffer(koffi);

  const failed = (call: string): Error => new Error(`${call}: ${getSystemErrorName(-koffi.errno())}`);
  const option = (fd: number, name: number, bytes: number): Buffer | null => {
    const value = Buffer.alloc(bytes);
    return getsockopt(fd, SOL_SOCKET, name, value, [bytes]) === 0 ? value : null;
  };
  return {
    peerCredentials(fd) {
      const value = option(fd, SO_PEERCRED, 12);
      if (value === null) throw failed('SO_PEERCRED');
      return credentials(value, 0);
    },
    pidfd(fd, pid) {
      const found = option(fd, SO_PEERPIDFD, 4);
      if (found !== null) return found.readInt32LE();
      if (koffi.errno() !== ENOPROTOOPT) throw failed('SO_PEERPIDFD');
      const opened = Number(syscall(SYS_PIDFD_OPEN, pid, 0));
      if (opened < 0) throw failed('pidfd_open');
      return opened;
    },
    openProcess(pid) {
      const opened = Number(syscall(SYS_PIDFD_OPEN, pid, 0));
      if (opened >= 0) return opened;
      if (koffi.errno() === ESRCH) return null;
      throw failed('pidfd_open');
    },
    exited(pidfd) {
      const entry = Buffer.alloc(8);
      entry.writeInt32LE(pidfd, 0);
      entry.writeInt16LE(POLLIN, 4);
      for (;;) {
        const ready = poll(entry, 1, 0);
        if (ready >= 0) return ready !== 0;
        if (koffi.errno() !== EINTR) throw failed('poll');
      }
    },
    passCredentials(fd) {
      if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, [1], 4) !== 0) throw failed('SO_PASSCRED');
    },
    receive(fd) {
      for (;;) {
        const bytes = Number(recvmsg(fd, message.prepare(), MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
        if (bytes >= 0) return message.received(bytes);
        if (koffi.errno() === EAGAIN) return null;
        if (koffi.errno() !== EINTR) throw failed('recvmsg');
      }
    },
    duplicate(fd) {
      const copy = Number(fcntl(fd, F_DUPFD_CLOEXEC, 'int', 0));
      if (copy < 0) throw failed('F_DUPFD_CLOEXEC');
      return copy;
    },
    sinceBootMs() {
      const time = Buffer.alloc(16);
      if (clock(CLOCK_BOOTTIME, time) !== 0) throw failed('clock_gettime');
      return Number(time.readBigInt64LE(0)) * 1000 + Number(time.readBigInt64LE(8)) / 1e6;
    },
    watch: (fd, readable) => koffi.node.poll(fd, { readable: true }, () => readable()),
  };
}

const credentials = (at: Buffer, offset: number): Credentials => ({ pid: at.readInt32LE(offset), uid: at.readUInt32LE(offset + 4), gid: at.readUInt32LE(offset + 8) });

/** Memory for recvmsg(2), reused by every call: what is received is copied out before the next one. */
class MessageBuffer {
  private readonly memory: unknown;
  private readonly base: bigint;
  private readonly bytes: Buffer;

  constructor(koffi: typeof import('koffi')) {
    this.memory = koffi.alloc('uint8_t', DATA + DATA_BYTES);
    this.base = koffi.address(this.memory);
    this.bytes = Buffer.from(koffi.view(this.memory, DATA + DATA_BYTES));
  }

  prepare(): unknown {
    this.bytes.fill(0, 0, DATA);
    this.bytes.writeBigUInt64LE(this.base + BigInt(IOVEC), 16);
    this.bytes.writeBigUInt64LE(1n, 24);
    this.bytes.writeBigUInt64LE(this.base + BigInt(CONTROL), 32);
    this.bytes.writeBigUInt64LE(BigInt(CONTROL_BYTES), 40);
    this.bytes.writeBigUInt64LE(this.base + BigInt(DATA), IOVEC);
    this.bytes.writeBigUInt64LE(BigInt(DATA_BYTES), IOVEC + 8);
    return this.memory;
  }

  received(bytes: number): Received {
    return { data: Buffer.from(this.bytes.subarray(DATA, DATA + bytes)), from: this.writer() };
  }

  /** The credentials, if a control message of that kind came first: SO_PASSCRED puts it there. */
  private writer(): Credentials | null {
    const length = this.bytes.readBigUInt64LE(CONTROL);
    const is = (level: number, type: number): boolean => this.bytes.readInt32LE(CONTROL + 8) === level && this.bytes.readInt32LE(CONTROL + 12) === type;
    return length === 28n && is(SOL_SOCKET, SCM_CREDENTIALS) ? credentials(this.bytes, CONTROL + 16) : null;
  }
}
