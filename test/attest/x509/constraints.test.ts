import { describe, expect, it } from 'vitest';
import { nameOutside } from '../../../attest/x509/constraints.js';
import { DerReader } from '../../../attest/x509/der.js';
import type { GeneralName } from '../../../attest/x509/general.js';
import { readName } from '../../../attest/x509/name.js';
import { Oddities } from '../../../attest/x509/oddities.js';
import { x509 } from '../../support/authority.js';

const dns = (text: string): GeneralName => ({ kind: 'dns', text });
const email = (text: string): GeneralName => ({ kind: 'email', text });
const uri = (text: string): GeneralName => ({ kind: 'uri', text });
const ip = (hex: string): GeneralName => ({ kind: 'ip', bytes: Buffer.from(hex, 'hex') });
const directory = (text: string): GeneralName => ({ kind: 'directory', name: readName(new DerReader(Buffer.from(new x509.Name(text).toArrayBuffer()), 0, new Oddities()).next('a name')) });
const registered: GeneralName = { kind: 'other', tag: 0x88 };

const permitted = (name: GeneralName, ...trees: GeneralName[]): boolean => nameOutside([name], { permitted: trees, excluded: [] }) === null;
const excluded = (name: GeneralName, ...trees: GeneralName[]): boolean => nameOutside([name], { permitted: [], excluded: trees }) !== null;

describe('name constraints', () => {
  it.each([
    [dns('a.example.com'), dns('example.com'), true], [dns('example.com'), dns('example.com'), true], [dns('EXAMPLE.com'), dns('example.COM'), true], [dns('notexample.com'), dns('example.com'), false],
    [dns('x'), dns(''), true], [email('a@b.com'), email('b.com'), true], [email('a@c.b.com'), email('b.com'), false], [email('a@c.b.com'), email('.b.com'), true], [email('a@b.com'), email('.b.com'), false],
    [email('A@b.com'), email('a@b.com'), false], [email('a@B.com'), email('a@b.com'), true], [email('a@b@b.com'), email('b.com'), false],
    [uri('https://a.b.com/x'), uri('.b.com'), true], [uri('https://u@b.com:1/'), uri('b.com'), true], [uri('https://evil/?b.com'), uri('b.com'), false], [uri('urn:b.com'), uri('b.com'), false],
    [ip('c0000201'), ip('c0000200ffffff00'), true], [ip('c0000301'), ip('c0000200ffffff00'), false], [ip('c0000200ffffff00'), ip('c0000200ffffff00'), false],
    [directory('C=DE,O=Maker,CN=x'), directory('C=DE,O=maker'), true], [directory('C=DE,CN=x'), directory('C=DE,O=Maker'), false],
  ] as const)('%o in %o: %s', (name, tree, inside) => {
    expect(permitted(name, tree)).toBe(inside);
    if (inside) expect(excluded(name, tree)).toBe(true);
  });

  it('CVE-2025-61727: a wildcard that could stand for an excluded name is excluded', () => {
    expect(excluded(dns('*.example.com'), dns('bar.example.com'))).toBe(true);
    expect(excluded(dns('*.example.com'), dns('other.com'))).toBe(false);
    expect(permitted(dns('*.example.com'), dns('bar.example.com'))).toBe(false);
    expect(permitted(dns('*.example.com'), dns('example.com'))).toBe(true);
  });

  it('speak of their own kind only, and an unlisted kind is free', () => {
    expect(permitted(email('a@b.com'), dns('example.com'))).toBe(true);
    expect(permitted(ip('c0000201'), dns('example.com'))).toBe(true);
  });

  it('take a malformed name for one that is not permitted and that is excluded', () => {
    for (const [bad, tree] of [[dns('.example.com'), dns('example.com')], [ip('c00002'), ip('c0000200ffffff00')], [email('@b.com'), email('b.com')], [uri('b.com'), uri('b.com')]] as const) {
      expect(permitted(bad, tree)).toBe(false);
      expect(excluded(bad, tree)).toBe(true);
    }
  });

  it('that say nothing, or cannot be compared, allow nothing', () => {
    for (const tree of [dns('.example.com'), dns('*.example.com'), email('a@b@c.com'), ip('c0000200ff00ff00'), ip('c000'), uri('')]) expect(permitted(dns('a'), tree)).toBe(false);
    expect(permitted(registered, registered)).toBe(false);
    expect(excluded(registered, registered)).toBe(true);
  });

  it('nc-dos: many names under many constraints are not compared at all', () => {
    const many = Array.from({ length: 2048 }, (_, i) => dns(`t${i}.test`));
    const begun = performance.now();
    expect(nameOutside(many, { permitted: many, excluded: many })).toMatch('2048 names under 4096 constraints');
    expect(performance.now() - begun).toBeLessThan(100);
  });
});
