/** Options that several commands share, and what they lead to. */
import { randomBytes } from 'node:crypto';
import { type Command, Option } from 'commander';
import { AGENT_SOCKET } from '../../src/agentapi.js';
import { fault } from '../../src/base/fault.js';
import { newId } from '../../src/base/id.js';
import { proofOf } from '../../src/objects/request.js';
import type { User } from '../actions.js';
import { type Api, apiOf } from '../http.js';
import { loadKey, readFile } from '../keys.js';

export const socketOption = (): Option => new Option('-s, --socket <PATH>', "the sidecar's agent socket").default(AGENT_SOCKET);
export const apiOption = (): Option => new Option('-u, --verifier <URL>', "the verifier's HTTP address").makeOptionMandatory();
export const keyOption = (whose: string): Option => new Option('-k, --key <FILE>', `${whose} private key (JWK)`).makeOptionMandatory();
export const tokenOption = (): Option => new Option('--admin-token-file <FILE>', "file with the operator's token").makeOptionMandatory();
export const caOption = (): Option => new Option('--ca <FILE>', "certificate authority of the verifier's TLS (PEM)");
export const userOption = (): Option => new Option('--user <ID>', "the user's id (usr_...)").makeOptionMandatory();

/** Who calls: a user with her own key, the operator with his token, or whichever of them is named. */
export const calling = (command: Command, who: 'user' | 'operator' | 'either'): Command => {
  const [user, key, token] = [userOption(), keyOption("the user's"), tokenOption()].map((option) => option.makeOptionMandatory(who !== 'either')) as [Option, Option, Option];
  const credentials = { user: [user, key], operator: [token], either: [user, key, token] }[who];
  return [apiOption(), caOption(), ...credentials].reduce((all, option) => all.addOption(option), command);
};

export interface Remote { verifier: string; adminTokenFile?: string; ca?: string }
export interface AsUser extends Remote { user: string; key: string; json?: boolean }
export interface AsOperator extends Remote { adminTokenFile: string; json?: boolean }
export interface AsEither extends Remote { user?: string; key?: string; json?: boolean }

/** The verifier's API for whoever is named: each request proven with the user's key, or with the operator's token. @throws Fault usage.wrong when it is nobody */
export function apiFor(options: AsEither): Api {
  const { verifier: url, adminTokenFile, user, key, ca } = options;
  if (key === undefined && adminTokenFile === undefined) throw fault('usage.wrong', { what: 'say who you are: --user ID --key FILE, or --admin-token-file FILE' });
  if (key === undefined) return adminApi(options);
  if (user === undefined) throw fault('usage.wrong', { what: '--key needs the --user ID whose key it is' });
  const signer = loadKey(key, 'user');
  return apiOf({ url, ca: ca === undefined ? undefined : readFile(ca), prove: (sent) => proofOf({ sub: user, ...sent }, { jti: newId('evt', Date.now(), randomBytes(10)), iat: Math.floor(Date.now() / 1000) }, signer) });
}

/** The user that a command is about. @throws Fault usage.wrong */
export function namedUser({ user }: AsEither): string {
  if (user === undefined) throw fault('usage.wrong', { what: 'name the user: --user ID' });
  return user;
}

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
