/** Extensions of certificates that are understood here (RFC 5280 section 4.2), each read whole or refused. */
import { type Der, TAG, inside, items, malformed, only } from './der.js';
import { type GeneralName, type NameConstraints, generalNames, nameConstraints } from './general.js';
import { boolean, namedBits, oid, small } from './primitives.js';

export interface BasicConstraints { readonly ca: boolean; /** Null: any. */ readonly pathLength: number | null }

export interface Extensions {
  readonly basic: BasicConstraints | null;
  /** keyUsage as bits, digitalSignature = 1; null when absent. */
  readonly usage: number | null;
  readonly purposes: readonly string[] | null;
  readonly names: readonly GeneralName[] | null;
  readonly constraints: NameConstraints | null;
  readonly subjectKeyId: Buffer | null;
  /** `keyid` null: the extension is there without it. */
  readonly authorityKeyId: { readonly keyid: Buffer | null } | null;
  /** Ids of critical extensions that nobody here understands. */
  readonly unknownCritical: readonly string[];
  /** Every extension by id. */
  readonly all: ReadonlyMap<string, Extension>;
}
export interface Extension { readonly id: string; readonly critical: boolean; readonly value: Buffer; readonly at: number }

export const USAGE = { digitalSignature: 1, keyEncipherment: 1 << 2, keyAgreement: 1 << 4, keyCertSign: 1 << 5, cRLSign: 1 << 6 } as const;
export const ID = {
  subjectDirectoryAttributes: '2.5.29.9', subjectKeyId: '2.5.29.14', keyUsage: '2.5.29.15', subjectAltName: '2.5.29.17', basicConstraints: '2.5.29.19', nameConstraints: '2.5.29.30',
  certificatePolicies: '2.5.29.32', authorityKeyId: '2.5.29.35', extKeyUsage: '2.5.29.37', authorityInfoAccess: '1.3.6.1.5.5.7.1.1',
} as const;
/** policyConstraints: where it is critical it is not understood, where it is not it should be. */
const POLICY_CONSTRAINTS = '2.5.29.36';
/** Read below, or without a say in whether a path holds: policies are not asked for, directory attributes describe the TPM. */
const UNDERSTOOD: ReadonlySet<string> = new Set(Object.values(ID));
const MAX_EXTENSIONS = 64;

function extension(der: Der): Extension {
  const reader = inside(der);
  const id = oid(reader.take(TAG.oid, 'the id of an extension'));
  const flag = reader.optional(TAG.boolean, 'the criticality of an extension');
  const critical = flag !== null && boolean(flag);
  if (flag !== null && !critical) der.oddities.add('default-encoded');
  const { body: value, at } = reader.take(TAG.octetString, 'the value of an extension');
  reader.end('an extension');
  return { id, critical, value, at };
}

/** Extensions, each once. @throws Fault cert.malformed */
export function readExtensionList(der: Der): Extension[] {
  const list = items(der, 'extensions', { max: MAX_EXTENSIONS }).map(extension);
  return new Set(list.map(({ id }) => id)).size === list.length ? list : malformed(der.at, 'an extension that stands twice');
}

/** @throws Fault cert.malformed */
export function readExtensions(der: Der | null): Extensions {
  const list = der === null ? [] : readExtensionList(der);
  const all = new Map(list.map((each) => [each.id, each]));
  const read = <T>(id: string, tag: number, use: (value: Der) => T): T | null => {
    const found = all.get(id);
    return found === undefined || der === null ? null : use(only(found.value, found.at, tag, `extension ${id}`, der.oddities));
  };
  const extensions: Extensions = {
    all,
    unknownCritical: list.filter(({ id, critical }) => critical && !UNDERSTOOD.has(id)).map(({ id }) => id),
    basic: read(ID.basicConstraints, TAG.sequence, basicConstraints),
    usage: read(ID.keyUsage, TAG.bitString, namedBits),
    purposes: read(ID.extKeyUsage, TAG.sequence, (value) => items(value, 'purposes', { max: 64 }).map(oid)),
    names: read(ID.subjectAltName, TAG.sequence, generalNames),
    constraints: read(ID.nameConstraints, TAG.sequence, nameConstraints),
    subjectKeyId: read(ID.subjectKeyId, TAG.octetString, ({ body }) => body),
    authorityKeyId: read(ID.authorityKeyId, TAG.sequence, authorityKeyId),
  };
  read(ID.authorityInfoAccess, TAG.sequence, (value) => items(value, 'access descriptions', { max: 64 }));
  if (der !== null) noteCriticality(der, all);
  return extensions;
}

function noteCriticality({ oddities }: Der, all: ReadonlyMap<string, Extension>): void {
  if (all.get(ID.authorityKeyId)?.critical === true) oddities.add('aki-critical');
  if (all.get(ID.subjectKeyId)?.critical === true) oddities.add('ski-critical');
  if (all.get(ID.authorityInfoAccess)?.critical === true) oddities.add('aia-critical');
  if (all.get(ID.nameConstraints)?.critical === false) oddities.add('name-constraints-not-critical');
  if (all.get(POLICY_CONSTRAINTS)?.critical === false) oddities.add('policy-constraints-not-critical');
  if (all.get(ID.subjectAltName)?.critical === true) oddities.add('san-critical');
}

function basicConstraints(der: Der): BasicConstraints {
  const reader = inside(der);
  const flag = reader.optional(TAG.boolean, 'cA');
  const ca = flag !== null && boolean(flag);
  if (flag !== null && !ca) der.oddities.add('default-encoded');
  const length = reader.optional(TAG.integer, 'pathLenConstraint');
  reader.end('basic constraints');
  return { ca, pathLength: length === null ? null : small(length, 'pathLenConstraint') };
}

/** authorityCertIssuer and serial number are hints of another kind: looked at by nobody, but they must be what they say. */
function authorityKeyId(der: Der): { keyid: Buffer | null } {
  const members = items(der, 'the authority key identifier', { empty: true, max: 3 });
  const unknown = members.find(({ tag }) => tag !== 0x80 && tag !== 0xa1 && tag !== 0x82);
  if (unknown !== undefined) malformed(unknown.at, 'an authority key identifier with another member');
  return { keyid: members.find(({ tag }) => tag === 0x80)?.body ?? null };
}
