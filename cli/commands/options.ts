/** Options that several commands share, and what they lead to. */
import { Option } from 'commander';
import { AGENT_SOCKET } from '../../src/agentapi.js';
import { fault } from '../../src/base/fault.js';
import type { User } from '../actions.js';
import { type Api, apiOf } from '../http.js';
import { loadKey, readFile } from '../keys.js';

export const socketOption = (): Option => new Option('-s, --socket <PATH>', "the sidecar's agent socket").default(AGENT_SOCKET);
export const apiOption = (): Option => new Option('-u, --verifier <URL>', "the verifier's HTTP address").makeOptionMandatory();
export const keyOption = (whose: string): Option => new Option('-k, --key <FILE>', `${whose} private key (JWK)`).makeOptionMandatory();
export const tokenOption = (): Option => new Option('--admin-token-file <FILE>', "file with the operator's token").makeOptionMandatory();
export const caOption = (): Option => new Option('--ca <FILE>', "certificate authority of the verifier's TLS (PEM)");
export const userOption = (): Option => new Option('--user <ID>', "the user's id (usr_...)").makeOptionMandatory();

export interface Remote { verifier: string; adminTokenFile?: string; ca?: string }
/** The verifier's API with the operator's token. */
export const adminApi = ({ verifier, adminTokenFile, ca }: Remote): Api =>
  apiOf({ url: verifier, bearer: adminTokenFile === undefined ? undefined : readFile(adminTokenFile).trim(), ca: ca === undefined ? undefined : readFile(ca) });

export const userOf = ({ user, key }: { user: string; key: string }): User => ({ userId: user, key: loadKey(key, 'user') });

/** An amount on the command line: an integer of minor units. */
export function minorUnits(text: string): bigint {
  if (!/^(?:0|[1-9][0-9]{0,15})$/.test(text)) throw fault('money.not_integer', { value: text });
  return BigInt(text);
}

/** A duration on the command line, `90s`, `15m`, `12h` or `30d`, in seconds. */
export function duration(text: string): number {
  const [, n, unit] = /^([1-9][0-9]{0,5})([smhd])$/.exec(text) ?? [];
  if (n === undefined || unit === undefined) throw fault('usage.wrong', { what: `${text} is no duration; write 90s, 15m, 12h or 30d` });
  return Number(n) * { s: 1, m: 60, h: 3600, d: 86_400 }[unit as 's' | 'm' | 'h' | 'd'];
}

export const list = (value: string, before: string[]): string[] => [...before, value];
