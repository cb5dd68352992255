/** The end of a process that did not connect to this sidecar: one that its predecessor knew. */
import { closeSync } from 'node:fs';
import { native } from '../native.js';
import { statField } from './peer.js';

/** Whether the pid is still that of the process which started then. Asked while a descriptor of it is held, so it cannot become another's meanwhile. */
function startedThen(pid: number, startTicks: string): boolean {
  try {
    return statField(`/proc/${pid}`, 22) === startTicks;
  } catch {
    return false;
  }
}

/**
 * Calls back once when the process with this pid and start time (clock ticks since boot) ends.
 * @returns what ends the waiting; null when the process has ended already
 */
export function awaitExit(pid: number, startTicks: string, ended: () => void): { close(): void } | null {
  const pidfd = native().openProcess(pid);
  if (pidfd === null) return null;
  // One that ended and that nobody waited for keeps its pid.
  if (native().exited(pidfd) || !startedThen(pid, startTicks)) {
    closeSync(pidfd);
    return null;
  }
  const watch = native().watch(pidfd, () => {
    watch.stop();
    ended();
  });
  return { close: () => { watch.close(); closeSync(pidfd); } };
}
