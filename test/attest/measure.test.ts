import { describe, expect, it } from 'vitest';
import { measure } from '../../attest/measure.js';
import { manifestFiles, treeHash } from '../../attest/manifest.js';
import { sha256 } from '../../src/base/bytes.js';
import { decode, encode } from '../../src/base/shape.js';
import { agentClaims, agentHash } from '../../src/objects/claims.js';
import { claimsOf, cleanSnapshot, manifest, manifestWith } from './support/agent.js';

const runtime = (name: 'native' | 'node' | 'python' | 'jvm' | 'shell') => manifestWith({ launch: { ...manifest.launch, runtime: name } });
const risky = (change: { envNames?: string[]; options?: string[] }, name: Parameters<typeof runtime>[0] = 'node'): string[] => claimsOf(cleanSnapshot(change), runtime(name)).injection.riskyEnv;

describe('the claims of an agent', () => {
  it('survive the wire and hash to one value', () => {
    const claims = claimsOf(cleanSnapshot());
    expect(decode(agentClaims, encode(agentClaims, claims))).toEqual(claims);
    expect(agentHash(claims)).toBe(agentHash(claimsOf(cleanSnapshot())));
  });

  it('have the tree hash of the manifest when every file is as in it', () => {
    expect(claimsOf(cleanSnapshot()).tree).toEqual({ files: 2, sha256: treeHash(manifestFiles(manifest)), drift: [], changedSinceStart: [] });
  });

  it('have another tree hash as soon as code stands beside the files of the manifest', () => {
    const files = ['main', 'prompt'].map((name, at) => ({ path: ['main.js', 'prompt.txt'][at]!, state: 'read' as const, sha256: sha256(name) }));
    const { tree } = claimsOf(cleanSnapshot({ files: [...files, { path: 'evil.js', state: 'extra', sha256: sha256('evil') }] }));
    expect(tree.sha256).not.toBe(treeHash(manifestFiles(manifest)));
    expect(tree.drift).toEqual([{ path: 'evil.js', kind: 'extra', sha256: sha256('evil') }]);
  });

  it('hold no more drift than they may, and are still signed', () => {
    const files = Array.from({ length: 5000 }, (_, at) => ({ path: `f${at}`, state: 'unreadable' as const, sha256: null }));
    const claims = claimsOf(cleanSnapshot({ files }));
    expect(claims.tree).toMatchObject({ files: 5000, drift: { length: 256 } });
    expect(() => encode(agentClaims, claims)).not.toThrow();
  });

  it('hold no namespace identities, only their hash', () => {
    expect(JSON.stringify(measure(cleanSnapshot(), { agentId: 'shopper', manifestSha256: sha256('t'), manifest, mode: 'launch', earlier: [] }))).not.toContain('net:[1]');
  });
});

describe('variables and options through which foreign code comes in', () => {
  it.each([
    ['native', ['LD_PRELOAD', 'NODE_OPTIONS'], ['LD_PRELOAD']],
    ['node', ['LD_AUDIT', 'NODE_OPTIONS', 'NODE_ENV', 'PYTHONPATH'], ['LD_AUDIT', 'NODE_OPTIONS']],
    ['python', ['PYTHONPATH', 'PYTHONSTARTUP', 'PYTHONUNBUFFERED', 'NODE_OPTIONS'], ['PYTHONPATH', 'PYTHONSTARTUP']],
    ['jvm', ['JAVA_TOOL_OPTIONS', 'JAVA_HOME'], ['JAVA_TOOL_OPTIONS']],
    ['shell', ['BASH_ENV', 'PS1', 'BASH_FUNC_ls%%'], ['BASH_ENV', 'BASH_FUNC_ls..']],
  ] as const)('are those of the runtime %s and of the loader', (name, envNames, expected) => {
    expect(risky({ envNames: [...envNames] }, name)).toEqual(expected);
  });

  it('are named once, sorted, in the form of a name', () => {
    const names = risky({ envNames: ['NODE_PATH', 'LD_PRELOAD'], options: ['--require', '-r', '--max-old-space-size'] });
    expect(names).toEqual(['LD_PRELOAD', 'NODE_PATH', 'argv:--require', 'argv:-r']);
    expect(() => encode(agentClaims, claimsOf(cleanSnapshot({ envNames: ['LD_PRELOAD'], options: ['--require'] })))).not.toThrow();
  });
});
