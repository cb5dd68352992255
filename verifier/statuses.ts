/** Status lists as this verifier publishes them: where a token's bits are, and the lists themselves, signed. */
import { deflateSync } from 'node:zlib';
import { type Listed, packStatuses, sealStatusList, STATUS_LISTS, type StatusReference } from '../src/objects/status.js';
import type { Verifier } from './context.js';

/** A copy may be used for a minute before it is fetched again, and is worth nothing after an hour. */
const TTL_S = 60;
const LIFE_S = 3600;
/** A list is made anew at most this often: who asks in between gets the last one. */
const KEPT_MS = 1000;

const uriOf = (v: Verifier, listed: Listed): string => `${v.config.issuers.verifier.replace(/\/$/, '')}/status/${STATUS_LISTS[listed].n}`;

/** Where the bits of a token are, given before the token is signed. */
export async function statusOf(v: Verifier, listed: Listed, subject: string): Promise<StatusReference> {
  return { statusList: { idx: await v.store.statusIndex({ list: STATUS_LISTS[listed].n, subject, nowMs: v.now() }), uri: uriOf(v, listed) } };
}

/** The lists of one process. */
export class StatusLists {
  private readonly made = new Map<Listed, { atMs: number; token: Promise<string> }>();
  private readonly v: () => Verifier;

  constructor(v: () => Verifier) {
    this.v = v;
  }

  /** The signed list, at most a second old; null when there is none of that number. */
  async read(n: string): Promise<string | null> {
    const listed = (Object.keys(STATUS_LISTS) as Listed[]).find((name) => STATUS_LISTS[name].n === n);
    if (!listed) return null;
    const nowMs = this.v().now();
    const kept = this.made.get(listed);
    if (kept && nowMs - kept.atMs < KEPT_MS) return kept.token;
    const token = this.make(listed, nowMs);
    this.made.set(listed, { atMs: nowMs, token });
    token.catch(() => this.made.delete(listed));
    return token;
  }

  private async make(listed: Listed, nowMs: number): Promise<string> {
    const v = this.v();
    const { n, role } = STATUS_LISTS[listed];
    const iat = Math.floor(nowMs / 1000);
    const lst = packStatuses(await v.store.statuses(n), deflateSync);
    return sealStatusList(role, { iss: v.config.issuers[role], sub: uriOf(v, listed), iat, exp: iat + LIFE_S, ttl: TTL_S, statusList: { bits: 2, lst } }, v.keys[role]);
  }
}
