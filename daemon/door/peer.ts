/**
 * Who is at the other end of a connection: the process the kernel saw calling connect(), held so that it cannot become another one unnoticed.
 *
 * - *pid reuse*: the pidfd says whether that process has ended; /proc is read through a held directory that never shows another process.
 * - *exec*: pid, pidfd and start time survive it, with the same program even the executable does. The auxiliary vector (random bytes and
 *   addresses of the new image) and the start of the stack do not.
 * - *who speaks*: the peer of a connection is who connected; who writes on it is checked for each message in {@link SpokenStream}.
 *
 * An exec between connect() and {@link identify} is not seen as one: the program that runs then is the one that is measured.
 */
import { closeSync, constants, openSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import type { Socket } from 'node:net';
import { sha256, type Sha256 } from '../../src/base/bytes.js';
import { Fault, fault } from '../../src/base/fault.js';
import { type Credentials, native } from '../native.js';
import type { Peer } from '../ports.js';

/** An exec that is awaited is looked for so often, ms: a runtime takes longer to its first line of the agent's own code, so a second exec finds the first one known. */
const EXEC_LOOK_MS = 5;

/** What an exec changes. */
interface Image { readonly dev: string; readonly ino: string; readonly auxv: Sha256; readonly startStack: string }

/** The descriptor of a connection. Node shows it in no documented way; it is there in every version from 20 on. */
export function descriptorOf(handle: { _handle?: { fd?: number } | null }): number {
  const fd = handle._handle?.fd;
  if (fd === undefined || fd < 0) throw fault('peer.unidentified', { what: 'the connection has no descriptor' });
  return fd;
}

/**
 * Identifies the process that connected. Call it at once when the connection arrives.
 * @throws Fault peer.unidentified (no native calls here), peer.unknown (from outside our pid namespace), peer.gone, peer.unreadable
 */
export function identify(socket: Socket): Peer {
  const fd = descriptorOf(socket as never);
  const credentials = native().peerCredentials(fd);
  if (credentials.pid === 0) throw fault('peer.unknown', { pid: 0, uid: credentials.uid });
  const pidfd = held(credentials.pid, () => native().pidfd(fd, credentials.pid));
  try {
    return new ProcessPeer(credentials, pidfd);
  } catch (error) {
    closeSync(pidfd);
    throw error;
  }
}

class ProcessPeer implements Peer {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
  readonly proc: string;
  readonly startTicks: string;
  private readonly pidfd: number;
  private readonly directory: number;
  private image: Image;
  private execAwaited = false;
  private open = true;

  constructor({ pid, uid, gid }: Credentials, pidfd: number) {
    this.pid = pid;
    this.uid = uid;
    this.gid = gid;
    this.pidfd = pidfd;
    this.directory = held(pid, () => openSync(`/proc/${pid}`, constants.O_RDONLY | constants.O_DIRECTORY));
    this.proc = `/proc/self/fd/${this.directory}`;
    try {
      this.startTicks = this.read(() => statField(this.proc, 22));
      this.image = this.read(() => imageOf(this.proc));
      // While this process has not ended its pid is not given away: so the directory above is its own.
      if (native().exited(pidfd)) throw fault('peer.gone', { pid });
    } catch (error) {
      closeSync(this.directory);
      throw error;
    }
  }

  stillThere(): void {
    if (this.isOver()) throw fault(this.pidReused() ? 'peer.pid_reused' : 'peer.gone', { pid: this.pid });
    const now = this.read(() => imageOf(this.proc));
    if (isSameImage(now, this.image)) return;
    if (!this.execAwaited) throw fault('peer.exec_changed', { pid: this.pid });
    this.execAwaited = false;
    this.image = now;
  }

  expectExec(): void {
    this.execAwaited = true;
    let before: Image | null = null;
    const look = setInterval(() => {
      const now = this.imageNow();
      // An image is filled in by the kernel while it can be seen already: it is whole when it stays.
      const isWhole = now !== null && before !== null && isSameImage(now, before) && !isSameImage(now, this.image);
      if (isWhole && this.execAwaited) [this.execAwaited, this.image] = [false, now];
      if (!this.execAwaited || this.isOver()) clearInterval(look);
      before = now;
    }, EXEC_LOOK_MS).unref();
  }

  private isOver(): boolean {
    return !this.open || native().exited(this.pidfd);
  }

  /** Null when it cannot be read: whoever asks is told by {@link stillThere}. */
  private imageNow(): Image | null {
    try {
      return this.isOver() ? null : imageOf(this.proc);
    } catch {
      return null;
    }
  }

  isSame(other: Peer): boolean {
    return other instanceof ProcessPeer && other.pid === this.pid && other.startTicks === this.startTicks && isSameImage(other.image, this.image);
  }

  again(): Peer {
    const pidfd = this.read(() => native().duplicate(this.pidfd));
    try {
      const peer = new ProcessPeer(this, pidfd);
      this.stillThere();
      return peer;
    } catch (error) {
      closeSync(pidfd);
      throw error;
    }
  }

  onExit(ended: () => void): { close(): void } {
    const watch = native().watch(this.pidfd, () => {
      watch.stop();
      ended();
    });
    return watch;
  }

  get exe(): Peer['exe'] {
    return { dev: this.image.dev, ino: this.image.ino, path: this.read(() => readlinkSync(`${this.proc}/exe`)) };
  }

  close(): void {
    if (!this.open) return;
    this.open = false;
    closeSync(this.directory);
    closeSync(this.pidfd);
  }

  /** Whether the pid of the ended process names another one now: told apart for whoever looks for it, both are refused. */
  private pidReused(): boolean {
    try {
      return statField(`/proc/${this.pid}`, 22) !== this.startTicks;
    } catch {
      return false;
    }
  }

  private read<T>(work: () => T): T {
    return held(this.pid, work);
  }
}

/** What fails because the process ended is peer.gone; all else means that it cannot be measured. */
function held<T>(pid: number, work: () => T): T {
  try {
    return work();
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH' || /ESRCH|EINVAL/.test(message)) throw new Fault('peer.gone', { pid }, cause);
    throw new Fault('peer.unreadable', { pid, what: code ?? message }, cause);
  }
}

const isSameImage = (a: Image, b: Image): boolean => a.dev === b.dev && a.ino === b.ino && a.auxv === b.auxv && a.startStack === b.startStack;

function imageOf(proc: string): Image {
  const { dev, ino } = statSync(`${proc}/exe`, { bigint: true });
  const auxv = readFileSync(`${proc}/auxv`);
  if (auxv.length === 0) throw Object.assign(new Error('the process has no memory'), { code: 'ESRCH' });
  return { dev: dev.toString(), ino: ino.toString(), auxv: sha256(auxv), startStack: statField(proc, 28) };
}

/** Field `n` of /proc/PID/stat, counted from 1 (proc(5)). The second one, the name, may hold spaces and parentheses: fields count from the last ')'. */
export function statField(proc: string, n: number): string {
  const line = readFileSync(`${proc}/stat`, 'latin1');
  return line.slice(line.lastIndexOf(')') + 2).split(' ')[n - 3] ?? '';
}
