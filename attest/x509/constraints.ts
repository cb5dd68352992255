/**
 * Name constraints (RFC 5280 sections 4.2.1.10 and 6.1.4): each name of each certificate below an authority must lie in one of its permitted subtrees of
 * that kind, and in none of the excluded. A kind that cannot be compared here is taken for excluded when it is constrained at all.
 */
import { type Certificate } from './certificate.js';
import type { GeneralName, NameConstraints } from './general.js';
import { isEmpty, isWithin, nameText, valuesOf } from './name.js';

const EMAIL_ADDRESS = '1.2.840.113549.1.9.1';
/** Comparisons for one certificate: names times constraints is what an adversary multiplies. */
export const MAX_COMPARISONS = 100_000;

/** All names of a certificate that constraints speak of: its SAN, its subject, and the e-mail addresses in the subject where no SAN has one. */
export function namesOf({ subject, names }: Certificate): GeneralName[] {
  const listed = names ?? [];
  const emails = listed.some(({ kind }) => kind === 'email') ? [] : valuesOf(subject, EMAIL_ADDRESS).map((text): GeneralName => ({ kind: 'email', text }));
  return [...listed, ...emails, ...(isEmpty(subject) ? [] : [{ kind: 'directory', name: subject } as const])];
}

/** The first name that the constraints do not allow, as text; null when all are allowed. */
export function nameOutside(names: readonly GeneralName[], { permitted, excluded }: NameConstraints): string | null {
  const trees = [...permitted, ...excluded];
  if (trees.some((tree) => !isBase(tree))) return 'a constraint that is none';
  if (names.length * trees.length > MAX_COMPARISONS) return `${names.length} names under ${trees.length} constraints`;
  const bad = names.find((name) => {
    const allowed = permitted.filter((tree) => sameKind(tree, name));
    const isOpaque = name.kind === 'other' && trees.some((tree) => sameKind(tree, name));
    return isOpaque || (allowed.length > 0 && !allowed.some((tree) => isInside(name, tree, 'all'))) || excluded.some((tree) => sameKind(tree, name) && isInside(name, tree, 'any'));
  });
  return bad === undefined ? null : describe(bad);
}

const sameKind = (a: GeneralName, b: GeneralName): boolean => a.kind === b.kind && (a.kind !== 'other' || b.kind !== 'other' || a.tag === b.tag);
const describe = (name: GeneralName): string =>
  name.kind === 'directory' ? nameText(name.name) : name.kind === 'ip' ? name.bytes.toString('hex', 0, 32) : name.kind === 'other' ? 'one of another kind' : name.text.replace(/\p{Cc}/gu, '?').slice(0, 255);

const HOST = /^(?:[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]*[a-z0-9_])?)*$/i;

/** Whether a constraint says something that can be compared. */
function isBase(tree: GeneralName): boolean {
  switch (tree.kind) {
    case 'dns': return tree.text === '' || HOST.test(tree.text);
    case 'email': return tree.text.split('@').length <= 2 && HOST.test(hostOfEmail(tree.text).replace(/^\./, ''));
    case 'uri': return HOST.test(tree.text.replace(/^\./, ''));
    case 'ip': return (tree.bytes.length === 8 || tree.bytes.length === 32) && isMask(tree.bytes.subarray(tree.bytes.length / 2));
    default: return true;
  }
}

/** Ones, then zeros. */
const isMask = (mask: Buffer): boolean => /^1*0*$/.test([...mask].map((byte) => byte.toString(2).padStart(8, '0')).join(''));
const hostOfEmail = (text: string): string => text.slice(text.lastIndexOf('@') + 1);

/**
 * Whether `name` lies in `tree`. A wildcard stands for many names: `all` of them, where they must be permitted, `any`, where one would be excluded
 * (CVE-2025-61727). A name that is malformed is never inside what is permitted and always inside what is excluded.
 */
function isInside(name: GeneralName, tree: GeneralName, wanted: 'all' | 'any'): boolean {
  if (name.kind === 'directory' && tree.kind === 'directory') return isWithin(name.name, tree.name);
  if (name.kind === 'ip' && tree.kind === 'ip') return isInNetwork(name.bytes, tree.bytes, wanted);
  if (name.kind === 'dns' && tree.kind === 'dns') return isDnsInside(name.text.toLowerCase(), tree.text.toLowerCase(), wanted);
  if (name.kind === 'email' && tree.kind === 'email') return isEmailInside(name.text, tree.text, wanted);
  if (name.kind === 'uri' && tree.kind === 'uri') return isUriInside(name.text, tree.text.toLowerCase(), wanted);
  return wanted === 'any';
}

const isBelow = (host: string, base: string): boolean => host === base || host.endsWith(`.${base}`);

function isDnsInside(name: string, base: string, wanted: 'all' | 'any'): boolean {
  const host = name.replace(/^\*\./, '');
  if (!HOST.test(host)) return wanted === 'any';
  if (base === '' || isBelow(host, base)) return true;
  return wanted === 'any' && host !== name && base.endsWith(`.${host}`) && !base.slice(0, -host.length - 1).includes('.');
}

function isInNetwork(address: Buffer, network: Buffer, wanted: 'all' | 'any'): boolean {
  if (address.length !== 4 && address.length !== 16) return wanted === 'any';
  if (address.length * 2 !== network.length) return false;
  return address.every((byte, i) => (byte & network[address.length + i]!) === (network[i]! & network[address.length + i]!));
}

/** A mailbox, all mailboxes of a host, or (with a leading dot) of the hosts below one. The part before the @ is compared as it is. */
function isEmailInside(address: string, base: string, wanted: 'all' | 'any'): boolean {
  const [local, host, ...more] = address.split('@');
  if (!local || !host || more.length > 0) return wanted === 'any';
  if (base.includes('@')) return local === base.slice(0, base.lastIndexOf('@')) && host.toLowerCase() === hostOfEmail(base).toLowerCase();
  return isHostOf(host.toLowerCase(), base.toLowerCase());
}

const isHostOf = (host: string, base: string): boolean => (base.startsWith('.') ? host.endsWith(base) && host.length > base.length : host === base);

function isUriInside(uri: string, base: string, wanted: 'all' | 'any'): boolean {
  const host = /^[a-z][a-z0-9+.-]*:\/\/(?:[^/?#@]*@)?([a-z0-9._-]+)(?::[0-9]*)?(?:[/?#]|$)/i.exec(uri)?.[1];
  return host === undefined ? wanted === 'any' : isHostOf(host.toLowerCase(), base);
}
