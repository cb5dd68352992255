import { describe, expect, it } from 'vitest';
import { buildManifest, compareWithManifest, executables, manifestFiles, type ManifestParts, treeHash } from '../../attest/manifest.js';
import { sha256 } from '../../src/base/bytes.js';
import { decode, encode } from '../../src/base/shape.js';
import { findingShape } from '../../src/objects/ear.js';
import { agentManifest } from '../../src/objects/manifest.js';
import { type Change, cleanSnapshot, claimsOf, manifest, manifestWith } from './support/agent.js';

const file = (path: string, text = path) => ({ path, sha256: sha256(text) });
const parts = (change: Partial<ManifestParts> = {}): ManifestParts => ({
  jti: 'm-1', issuer: 'publisher', nowS: 1_800_000_000, agent: { id: 'shopper', version: '1.0.0', publisher: 'publisher' },
  files: [file('main.js'), file('lib/b.js'), file('lib/a.js'), file('prompts/system.txt')],
  config: { prompts: ['prompts'] }, interpreters: [file('/usr/bin/node', 'node')], mappings: [file('/lib/libc.so.6', 'libc')],
  launch: { entry: 'main.js', runtime: 'node', allowAnonymousCode: true }, ...change,
});

describe('a manifest', () => {
  it('lists program and configuration apart, sorted by path, and is one that its shape takes', () => {
    const built = buildManifest(parts());
    expect(built.files.map(({ path }) => path)).toEqual(['lib/a.js', 'lib/b.js', 'main.js']);
    expect(built.config.prompts).toEqual([file('prompts/system.txt')]);
    expect(decode(agentManifest, encode(agentManifest, built))).toEqual(built);
  });

  it('counts all its files in its tree, whichever part of it they are', () => {
    expect(manifestFiles(buildManifest(parts())).map(({ path }) => path)).toEqual(['lib/a.js', 'lib/b.js', 'main.js', 'prompts/system.txt']);
  });

  it('does not take a folder for another whose name begins alike', () => {
    expect(buildManifest(parts({ files: [file('main.js'), file('prompts-old/x')] })).config.prompts).toEqual([]);
  });

  it.each([
    ['an entry that is not among its files', parts({ launch: { entry: 'other.js', runtime: 'node', allowAnonymousCode: true } })],
    ['a runtime without its interpreter', parts({ interpreters: [] })],
  ])('is refused with %s', (_, wrong) => {
    expect(() => buildManifest(wrong)).toThrow(expect.objectContaining({ code: 'usage.wrong' }));
  });

  it('names the entry of a native agent as its only executable', () => {
    const native = buildManifest(parts({ launch: { entry: 'main.js', runtime: 'native', allowAnonymousCode: false } }));
    expect([...executables(native)]).toEqual([sha256('main.js')]);
    expect([...executables(buildManifest(parts()))]).toEqual([sha256('node')]);
  });
});

describe('the hash of a tree', () => {
  it('does not depend on the order in which files were found', () => {
    expect(treeHash([file('a'), file('b')])).toBe(treeHash([file('b'), file('a')]));
  });

  it('changes with every path and every content', () => {
    const all = [[file('a')], [file('b', 'a')], [file('a', 'b')], [file('a'), file('b')], []].map(treeHash);
    expect(new Set(all).size).toBe(all.length);
  });
});

describe('claims compared with their manifest', () => {
  const codes = (change: Change, against = manifest): string[] => compareWithManifest(claimsOf(cleanSnapshot(change)), against).map(({ code }) => code);

  it('give no finding for the agent that the publisher made', () => {
    expect(codes({})).toEqual([]);
  });

  it.each([
    ['a changed file', { files: [{ path: 'main.js', state: 'read', sha256: sha256('evil') }, { path: 'prompt.txt', state: 'read', sha256: sha256('prompt') }] }, ['agent.version_not_authorised', 'agent.drift']],
    ['a missing file', { files: [{ path: 'main.js', state: 'read', sha256: sha256('main') }, { path: 'prompt.txt', state: 'missing', sha256: null }] }, ['agent.version_not_authorised', 'agent.drift']],
    ['no file at all', { files: [] }, ['agent.version_not_authorised']],
    ['another executable', { exe: { path: '/tmp/node', sha256: sha256('evil'), replaced: false } }, ['agent.exe_unknown']],
    ['a replaced executable', { exe: { path: '/usr/bin/node', sha256: sha256('node'), replaced: true } }, ['agent.exe_replaced']],
    ['a file that was changed and changed back', { touched: ['main.js'] }, ['agent.changed_since_start']],
    ['code that was changed in memory', { patchedPages: 2 }, ['agent.code_patched']],
    ['a foreign mapping', { mappings: [{ path: '/tmp/evil.so', sha256: sha256('evil'), deleted: false }] }, ['agent.foreign_mapping']],
    ['a mapping that cannot be read', { mappings: [{ path: '/lib/libc.so.6', sha256: null, deleted: false }] }, ['agent.foreign_mapping']],
    ['a known mapping whose file is gone', { mappings: [{ path: '/lib/libc.so.6', sha256: sha256('libc'), deleted: true }] }, ['agent.foreign_mapping']],
    ['a tracer', { tracerPid: 77 }, ['agent.traced']],
    ['an inspector', { inspector: true }, ['agent.inspector']],
    ['a preloaded library', { envNames: ['HOME', 'LD_PRELOAD'] }, ['agent.env_risky']],
    ['all of it at once', { files: [], exe: { path: '/x', sha256: sha256('x'), replaced: true }, mappings: [{ path: '[stack]', sha256: null, deleted: false }], tracerPid: 7, inspector: true, envNames: ['NODE_OPTIONS'] },
      ['agent.version_not_authorised', 'agent.exe_unknown', 'agent.exe_replaced', 'agent.foreign_mapping', 'agent.traced', 'agent.inspector', 'agent.env_risky']],
  ] as const)('find %s', (_, change, expected) => {
    expect(codes(change as never)).toEqual(expected);
  });

  it('find what weighed before, also when it is no longer seen', () => {
    const claims = claimsOf(cleanSnapshot({ inspector: true }), manifest, ['agent.inspector', 'agent.traced']);
    expect(compareWithManifest(claims, manifest).map(({ code, message }) => [code, message.includes('agent.inspector')])).toEqual([['agent.inspector', false], ['agent.drifted', false]]);
    expect(compareWithManifest(claimsOf(cleanSnapshot(), manifest, ['agent.inspector']), manifest).map(({ code }) => code)).toEqual(['agent.drifted']);
  });

  it('find anonymous code only where the runtime makes none', () => {
    expect(codes({ anonymousCode: 3 })).toEqual([]);
    expect(codes({ anonymousCode: 3 }, manifestWith({ launch: { entry: 'main.js', runtime: 'node', allowAnonymousCode: false } }))).toEqual(['agent.anonymous_code']);
  });

  it('say the first drifted files in the sentence of the version', () => {
    const files = ['a', 'b', 'c', 'd'].map((path) => ({ path: `${path}.js`, state: 'extra' as const, sha256: sha256('evil') }));
    const [first] = compareWithManifest(claimsOf(cleanSnapshot({ files })), manifest);
    expect(first?.message).toContain('a.js, b.js, c.js and 1 more');
  });

  it('stay findings that can be signed, whatever the paths of the device hold', () => {
    const path = `${'x'.repeat(4000)}\n\u0007"`;
    const claims = claimsOf(cleanSnapshot({ files: [{ path, state: 'extra', sha256: null }], exe: { path, sha256: sha256('x'), replaced: true }, mappings: [{ path, sha256: null, deleted: true }], envNames: Array.from({ length: 64 }, (_, at) => `LD_${'A'.repeat(200)}${at}`) }));
    for (const found of compareWithManifest(claims, manifest)) expect(decode(findingShape, encode(findingShape, found))).toEqual(found);
  });
});
