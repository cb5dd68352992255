/**
 * Where a proxied request goes. The agent writes host and path, and a merchant's router may read them otherwise than this text does: so only the one
 * spelling that all readers agree on is taken. Nothing is normalised: what is not normal is refused.
 */
import { fault } from '../base/fault.js';
import type { Dialect } from './terms.js';

export interface Target { readonly protocol: Dialect; readonly origin: string; readonly host: string; readonly port: number; /** Path with its query, as it is sent. */ readonly path: string }

const DIALECTS: readonly Dialect[] = ['ucp', 'acp', 'ap2', 'x402'];
const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';
/** No user, no trailing dot, no upper case, no second spelling of an address. IDNA names as their A-labels. */
const HOST = new RegExp(`^(?<name>${LABEL}(?:\\.${LABEL})*)(?::(?<port>[1-9][0-9]{0,4}))?$`);
const SEGMENT = "(?:[A-Za-z0-9._~!$&'()*+,=:@-]|%[0-9A-F]{2})+";
const PATH = new RegExp(`^/(?:${SEGMENT}(?:/${SEGMENT})*)?(?<query>\\?(?:[A-Za-z0-9._~!$&'()*+,;=:@/?-]|%[0-9A-Fa-f]{2})*)?$`);
/** Encoded, and yet a letter, a digit, a dot, a slash or the end of a text: another reader sees another path. */
const HIDDEN = /%(?:[01][0-9A-F]|2[35DEF]|3[0-9BF]|[46][1-9A-F]|5[0-9ACF]|7[0-9AEF])/;

/**
 * The target of `/x/{protocol}/{host}/{path}`.
 * @throws Fault intake.protocol, intake.target
 */
export function targetOf(url: string): Target {
  const [, protocol = '', place = '', rest = ''] = /^\/x\/([^/?]*)\/([^/?]*)(.*)$/s.exec(url) ?? [];
  const dialect = DIALECTS.find((known) => known === protocol);
  if (dialect === undefined) throw fault('intake.protocol', { protocol: protocol.slice(0, 32) });
  const host = HOST.exec(place)?.groups;
  if (host?.['name'] === undefined || host['name'].length > 253 || !isNormal(place)) throw fault('intake.target', { what: 'the host is not in its one normal spelling' });
  if (url.length > 4096 || !isPlain(rest)) throw fault('intake.target', { what: 'the path is not in its one normal spelling' });
  return { protocol: dialect, origin: `https://${place}`, host: host['name'], port: Number(host['port'] ?? 443), path: rest };
}

/** As WHATWG URL would write it: other spellings of an address, a default port and names that are none differ. */
function isNormal(place: string): boolean {
  try {
    return new URL(`https://${place}`).host === place;
  } catch {
    return false;
  }
}

function isPlain(rest: string): boolean {
  if (!PATH.test(rest)) return false;
  const [path = ''] = rest.split('?', 1);
  return !HIDDEN.test(path) && !path.split('/').some((segment) => segment === '.' || segment === '..');
}
