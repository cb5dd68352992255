/** What the kernel says of a process: credentials, hardening, tracer, unit, namespaces. */
import { readFile, readdir, readlink } from 'node:fs/promises';
import type { Snapshot } from '../../attest/measure.js';

/** Members of /proc/PID/status by name. */
export async function readStatus(path: string): Promise<Map<string, string>> {
  const lines = (await readFile(path, 'latin1')).split('\n');
  return new Map(lines.map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1).trim()]));
}

const effective = (ids: string | undefined): number => Number((ids ?? '').split(/\s+/)[1] ?? Number.NaN);

export async function senseProcess(proc: string, startTicks: string): Promise<Snapshot['process']> {
  const status = await readStatus(`${proc}/status`);
  return {
    uid: effective(status.get('Uid')),
    gid: effective(status.get('Gid')),
    startTicks,
    noNewPrivs: status.get('NoNewPrivs') === '1',
    seccomp: Number(status.get('Seccomp') ?? 0),
    capEff: (status.get('CapEff') ?? '').padStart(16, '0'),
    unit: unitOf(await readFile(`${proc}/cgroup`, 'utf8')),
    namespaces: await namespacesOf(proc),
  };
}

/** The first tracer of any thread: a debugger need not attach to the first one. 0 when there is none. */
export async function senseTracer(proc: string): Promise<number> {
  for (const thread of await readdir(`${proc}/task`)) {
    // A thread may end while it is looked at.
    const status = await readStatus(`${proc}/task/${thread}/status`).catch(() => new Map<string, string>());
    const tracer = Number(status.get('TracerPid') ?? 0);
    if (tracer !== 0) return tracer;
  }
  return 0;
}

/** The innermost systemd unit of the cgroup (v2, or systemd's own v1 hierarchy); null outside of one. */
export function unitOf(cgroup: string): string | null {
  const path = /^(?:0|[0-9]+:name=systemd):?:(.*)$/m.exec(cgroup)?.[1] ?? '';
  return path.split('/').findLast((part) => /\.(?:service|scope)$/.test(part))?.slice(0, 512) ?? null;
}

async function namespacesOf(proc: string): Promise<Record<string, string>> {
  const kinds = (await readdir(`${proc}/ns`)).sort();
  return Object.fromEntries(await Promise.all(kinds.map(async (kind) => [kind, await readlink(`${proc}/ns/${kind}`)] as const)));
}

/** Names, never values, of the environment at start. The process can overwrite them: what is missing proves nothing. */
export async function senseEnvNames(proc: string): Promise<string[]> {
  const raw = await readFile(`${proc}/environ`, 'utf8');
  const names = raw.split('\0').map((entry) => entry.split('=', 1)[0] ?? '').filter((name) => name !== '');
  return [...new Set(names)].sort();
}
