/** How the long-lived tokens of a bundle stand now, by status lists that someone fetched. A payment made before a revocation stays what it was. */
import { parse } from '../src/base/shape.js';
import { BUNDLE_BYTES, type Bundle, bundle as bundleShape } from '../src/objects/bundle.js';
import { type Inflate, type Listed, STATUS_LISTS, type StatusReference, openStatusList } from '../src/objects/status.js';
import type { Trust } from '../src/objects/trust.js';
import { factsOf } from './bundle/facts.js';

/** `standing`: null when the token names no list, or none of the lists at hand has it. `asOfS`: when the list was made. */
export interface Standing { readonly of: Listed; readonly id: string; readonly standing: 'valid' | 'invalid' | 'suspended' | null; readonly asOfS: number | null }

interface Named { readonly of: Listed; readonly id: string; readonly iss: string | null; readonly status: StatusReference | undefined }

function namedIn(bundle: Bundle, trust: Trust): Named[] {
  const { mandate, carrier, device } = factsOf(bundle, trust);
  return [
    ...(bundle.mandate === null ? [] : [mandate().mandate.value].map(({ jti, status }) => ({ of: 'mandate' as const, id: jti, iss: null, status }))),
    ...(bundle.carrier === null ? [] : [carrier().value].map(({ jti, iss, status }) => ({ of: 'carrier' as const, id: jti, iss, status }))),
    ...(bundle.device === null ? [] : [device().value].map(({ deviceId, iss, status }) => ({ of: 'device' as const, id: deviceId, iss, status }))),
  ];
}

/**
 * @param text of a bundle that verifies
 * @param lists status list tokens; of two of the same list the first counts
 * @throws Fault of {@link openStatusList}
 */
export function standings(text: string | Uint8Array, trust: Trust, lists: readonly string[], at: { inflate: Inflate; nowS: number }): Standing[] {
  const opened = lists.map((token) => openStatusList(token, trust, at));
  return namedIn(readBundle(text), trust).map(({ of, id, iss, status }) => {
    const list = status && opened.find(({ role, uri, iss: by }) => role === STATUS_LISTS[of].role && uri === status.statusList.uri && (iss === null || by === iss));
    return { of, id, standing: list && status ? list.at(status.statusList.idx) : null, asOfS: list?.iat ?? null };
  });
}

const readBundle = (text: string | Uint8Array): Bundle => parse(bundleShape, text, 'bundle', { bytes: BUNDLE_BYTES });
