/** GeneralNames (RFC 5280 section 4.2.1.6) and the subtrees of name constraints (4.2.1.10). */
import { type Der, TAG, inside, items, malformed, only } from './der.js';
import { type Name, readName } from './name.js';

export type GeneralName =
  | { readonly kind: 'dns' | 'email' | 'uri'; readonly text: string }
  | { readonly kind: 'ip'; readonly bytes: Buffer }
  | { readonly kind: 'directory'; readonly name: Name }
  /** otherName, x400Address, ediPartyName, registeredID: read, not compared. */
  | { readonly kind: 'other'; readonly tag: number };

const TEXTS: Record<number, 'email' | 'dns' | 'uri'> = { 0x81: 'email', 0x82: 'dns', 0x86: 'uri' };
const OTHERS = new Set([0xa0, 0xa3, 0xa5, 0x88]);

export function generalName(der: Der): GeneralName {
  const text = TEXTS[der.tag];
  if (text !== undefined) {
    if (der.body.some((byte) => byte >= 0x80)) malformed(der.at, 'a name that is not ASCII');
    return { kind: text, text: der.body.toString('latin1') };
  }
  if (der.tag === 0x87) return { kind: 'ip', bytes: der.body };
  if (der.tag === 0xa4) return { kind: 'directory', name: readName(only(der.body, der.at, TAG.sequence, 'a directory name', der.oddities)) };
  return OTHERS.has(der.tag) ? { kind: 'other', tag: der.tag } : malformed(der.at, 'a general name of no kind');
}

/** How many names a certificate may have: a limit, for an adversary multiplies them with constraints. */
const MAX_NAMES = 4096;

/** One host name label after the other, of letters, digits and inner hyphens; `*` may be the first. */
const DNS_NAME = /^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/i;

export function generalNames(der: Der): GeneralName[] {
  if (der.tag !== TAG.sequence) malformed(der.at, 'general names that are no SEQUENCE');
  const names = items(der, 'general names', { max: MAX_NAMES }).map(generalName);
  if (names.some((name) => name.kind === 'dns' && !DNS_NAME.test(name.text))) der.oddities.add('dns-name-malformed');
  return names;
}

export interface NameConstraints { readonly permitted: readonly GeneralName[]; readonly excluded: readonly GeneralName[] }

/** GeneralSubtree: `minimum` is 0 and `maximum` absent, always. */
function subtree(der: Der): GeneralName {
  const reader = inside(der);
  const base = generalName(reader.next('the base of a subtree'));
  if (!reader.done) malformed(reader.position, 'a subtree with a minimum or maximum');
  return base;
}

export function nameConstraints(der: Der): NameConstraints {
  const reader = inside(der);
  const [permitted, excluded] = [reader.optional(0xa0, 'permitted subtrees'), reader.optional(0xa1, 'excluded subtrees')];
  reader.end('name constraints');
  if (permitted === null && excluded === null) malformed(der.at, 'name constraints that constrain nothing');
  const trees = (list: Der | null): GeneralName[] => (list === null ? [] : items(list, 'subtrees', { max: MAX_NAMES }).map(subtree));
  return { permitted: trees(permitted), excluded: trees(excluded) };
}
