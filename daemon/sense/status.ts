/** What the kernel says of a process: credentials, hardening, tracer, unit, namespaces. */
import { readdirSync, readlinkSync } from 'node:fs';
import type { Snapshot } from '../../attest/measure.js';
import { native } from '../native.js';
import { readProc, unlessOwnLack } from './proc.js';

/** A member of a status file (proc_pid_status(5)); '' when it is not there. */
export function statusMember(status: string, name: string): string {
  const at = status.indexOf(`\n${name}:`) + 1;
  return at === 0 ? '' : status.slice(at + name.length + 1, status.indexOf('\n', at)).trim();
}

/** Of real, effective, saved and file system id. */
export const effectiveId = (ids: string): number => Number(ids.split(/\s+/)[1] ?? Number.NaN);
const capabilities = (hex: string): string => hex.padStart(16, '0');

export function senseProcess(proc: string, startTicks: string): Snapshot['process'] {
  const status = readProc(`${proc}/status`);
  const cgroup = readProc(`${proc}/cgroup`, 'utf8');
  return {
    uid: effectiveId(statusMember(status, 'Uid')),
    gid: effectiveId(statusMember(status, 'Gid')),
    startTicks,
    noNewPrivs: statusMember(status, 'NoNewPrivs') === '1',
    seccomp: Number(statusMember(status, 'Seccomp')),
    capEff: capabilities(statusMember(status, 'CapEff')),
    capBnd: capabilities(statusMember(status, 'CapBnd')),
    unit: unitOf(cgroup),
    cgroup: cgroupOf(cgroup),
    namespaces: namespacesOf(proc),
  };
}

/** The first tracer of any thread: a debugger need not attach to the first one. 0 when there is none. */
export function senseTracer(proc: string): number {
  for (const thread of readdirSync(`${proc}/task`)) {
    const tracer = Number(statusMember(threadStatus(`${proc}/task/${thread}/status`), 'TracerPid'));
    if (tracer !== 0) return tracer;
  }
  return 0;
}

/** A thread may end while it is looked at. */
function threadStatus(path: string): string {
  try {
    return readProc(path);
  } catch (error) {
    return unlessOwnLack(error, '');
  }
}

/** The path in the v2 hierarchy, or in systemd's own v1. */
const cgroupOf = (cgroup: string): string => /^(?:0|[0-9]+:name=systemd):?:(.*)$/m.exec(cgroup)?.[1] ?? '';

/**
 * The systemd unit of the cgroup; null outside of one. One inside another (of a user's own manager, of a container) is named with all that hold it, as
 * `user@1000.service/agent.service`: whoever runs a manager names its units as he likes, and none of them passes for one of the system.
 */
export function unitOf(cgroup: string): string | null {
  const units = cgroupOf(cgroup).split('/').filter((part) => /\.(?:service|scope)$/.test(part));
  return units.length === 0 ? null : units.join('/').slice(0, 512);
}

function namespacesOf(proc: string): Record<string, string> {
  return Object.fromEntries(readdirSync(`${proc}/ns`).sort().map((kind) => [kind, readlinkSync(`${proc}/ns/${kind}`)] as const));
}

/** Names, never values, of the environment at start. The process can overwrite them: what is missing proves nothing. */
export function senseEnvNames(proc: string): string[] {
  const names = readProc(`${proc}/environ`, 'utf8').split('\0').map((entry) => entry.slice(0, Math.max(entry.indexOf('='), 0))).filter((name) => name !== '');
  return [...new Set(names)].sort();
}

/** Of starttime in /proc/PID/stat: USER_HZ, the same on every Linux that Node runs on. */
const TICK_MS = 10;

/** When the process began, ms since 1970, good to a few hundredths of a second. Clocks that were set since move it along. /proc/uptime is not asked: in a container it may be the container's. */
export const startMsOf = (startTicks: string): number => Date.now() - native().sinceBootMs() + Number(startTicks) * TICK_MS;
