/** The units of a device under systemd: the sidecar with no more rights than it needs, and one template for agents. Pure: a place in, texts out. */
import { dirname } from 'node:path';
import { CAPABILITY_NAMES } from '../daemon/capabilities.js';
import { fault } from '../src/base/fault.js';

/** What the units depend on. `tpm`: the device node and the id of its group; null for a software TPM. */
export interface Installation {
  readonly node: string;
  readonly ari: string;
  readonly config: string;
  readonly stateDir: string;
  readonly socket: string;
  readonly tpm: { readonly device: string; readonly gid: number } | null;
}
/** Path to content. */
export type UnitFiles = Readonly<Record<string, string>>;

/** The user and group of the sidecar. Members of the group may open its socket. */
export const SERVICE_USER = 'ari';
export const SIDECAR_UNIT = 'ari-sidecar.service';
export const AGENT_UNIT = 'ari-agent@.service';

/** What stands in a unit as it is: without blanks, quotes, specifiers and ends of lines. */
const PLAIN = /^[A-Za-z0-9_@/.:+-]+$/;

/** systemd makes folders of a service below these, with the right owner. @throws Fault usage.wrong for another place */
function below(base: string, path: string, what: string): string {
  if (!PLAIN.test(path) || path.includes('/../')) throw fault('usage.wrong', { what: `${what} of a service has a plain path, not ${JSON.stringify(path)}` });
  if (!path.startsWith(`${base}/`)) throw fault('usage.wrong', { what: `${what} of a service stands below ${base}, not at ${path}` });
  return path.slice(base.length + 1);
}

/** A word of a command line: systemd.service(5), "Command lines". @throws Fault usage.wrong for one with ends of lines: what follows would be another setting */
function word(text: string): string {
  if (/\p{Cc}/u.test(text)) throw fault('usage.wrong', { what: `${JSON.stringify(text)} cannot stand in a unit` });
  return PLAIN.test(text) ? text : `"${text.replace(/[\\"]/g, '\\$&').replace(/%/g, '%%').replace(/\$/g, '$$$$')}"`;
}

/**
 * What the sidecar may: look at processes of other users ({@link CAPABILITY_NAMES}), use the TPM, reach its verifier, write its own state. What it may not
 * is everything else, also for whoever breaks into it. Memory that is written and executed stays: V8 needs it; /proc stays whole: it is what the sidecar
 * looks at; `@pkey`: Node asks for memory protection keys, and the filter would refuse it.
 */
const sidecar = ({ node, ari, config, stateDir, socket, tpm }: Installation): string => `[Unit]
Description=ari sidecar: proves the agents of this device when they pay
After=network-online.target
Wants=network-online.target

[Service]
Type=notify
ExecStart=${[node, ari, 'daemon', '-c', config].map(word).join(' ')}
Restart=on-failure
RestartSec=1
TimeoutStopSec=15
User=${SERVICE_USER}
Group=${SERVICE_USER}
${tpm === null ? '' : `SupplementaryGroups=${tpm.gid}\n`}StateDirectory=${below('/var/lib', stateDir, 'the state')}
StateDirectoryMode=0700
RuntimeDirectory=${below('/run', dirname(socket), 'the socket')}
RuntimeDirectoryMode=0755
UMask=0077
LimitCORE=0

AmbientCapabilities=${CAPABILITY_NAMES.join(' ')}
CapabilityBoundingSet=${CAPABILITY_NAMES.join(' ')}
NoNewPrivileges=yes
DevicePolicy=closed
${tpm === null ? '' : `DeviceAllow=${tpm.device} rw\n`}ProtectSystem=strict
ProtectHome=read-only
PrivateTmp=yes
PrivateMounts=yes
PrivateIPC=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
KeyringMode=private
LockPersonality=yes
RemoveIPC=yes
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service @pkey
SystemCallErrorNumber=EPERM

[Install]
WantedBy=multi-user.target
`;

/**
 * One agent, by its id. It is root that launches, for an agent of another user must become that user; the capabilities are for that, for reading its
 * files and for telling it to end. It goes with the sidecar: one that starts anew knows no process that was launched before it, so its agents are started and measured anew.
 */
const agent = ({ node, ari, config }: Installation): string => `[Unit]
Description=Agent %i, measured before its first instruction
PartOf=${SIDECAR_UNIT}
Requires=${SIDECAR_UNIT}
After=${SIDECAR_UNIT}

[Service]
Type=exec
ExecStart=${[node, ari, 'run', '-c', config, '--', '%i'].map((one) => (one === '%i' ? one : word(one))).join(' ')}
KillMode=mixed
SuccessExitStatus=SIGTERM 143
Restart=on-failure
RestartSec=1
SupplementaryGroups=${SERVICE_USER}
CapabilityBoundingSet=CAP_SETUID CAP_SETGID CAP_DAC_READ_SEARCH CAP_KILL
NoNewPrivileges=yes

[Install]
WantedBy=multi-user.target
`;

/** All files of an installation, in the order in which they are written. @throws Fault usage.wrong when state or socket are where a service cannot keep them */
export const unitFiles = (place: Installation): UnitFiles => ({
  '/etc/sysusers.d/ari.conf': `u ${SERVICE_USER} - "ari sidecar" /var/lib/ari\n`,
  [`/etc/systemd/system/${SIDECAR_UNIT}`]: sidecar(place),
  [`/etc/systemd/system/${AGENT_UNIT}`]: agent(place),
});
