import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Fault } from '../../src/base/fault.js';
import { POLICY } from '../../src/objects/decision.js';
import { open } from '../../src/objects/signed.js';
import { verifyKey } from '../../src/base/jws.js';
import { loadConfig, parseConfig, placeOf } from '../../verifier/config.js';
import { initVerifier } from '../../verifier/init.js';
import { loadKeys } from '../../verifier/keys.js';
import { codeOf } from '../support/fault.js';

const dir = mkdtempSync(join(tmpdir(), 'ari-config-'));
afterAll(() => rmSync(dir, { recursive: true }));

const GOOD = `
issuer = "https://verifier.example"
listen = "127.0.0.1:8443"
store = { path = "data/verifier.db" }
keys = { dir = "keys" }
trust = { ek_roots = ["roots.pem"], publishers = "publishers.json", policy_file = "policy.jwt" }
deposit = { origin = "log.example" }
api = { admin_token_file = "admin.token" }
`;
const wrong = (text: string): string => {
  try {
    parseConfig(text, 'verifier.toml');
    return 'accepted';
  } catch (error) {
    return error instanceof Fault && error.code === 'config.invalid' ? error.message : String(error);
  }
};

describe('the configuration', () => {
  it('takes what names.md names, with one issuer for every role unless said otherwise', () => {
    const config = parseConfig(GOOD, 'verifier.toml');
    expect(config).toMatchObject({ listen: { host: '127.0.0.1', port: 8443 }, nonce: { lifeS: 120, pool: 16 }, trust: { ekRoots: ['roots.pem'], testRoots: [] } });
    expect(config.issuers).toEqual({ verifier: 'https://verifier.example', carrier: 'https://verifier.example', settlement: 'https://verifier.example' });
    const split = parseConfig(`${GOOD}\n[roles.carrier]\nissuer = "https://bank.example"\n[roles.settlement]\nissuer = "https://psp.example"\nadapter = "ledger"`, 'f');
    expect(split.issuers).toEqual({ verifier: 'https://verifier.example', carrier: 'https://bank.example', settlement: 'https://psp.example' });
  });

  it('names every error at once, and refuses keys it does not know', () => {
    const message = wrong(GOOD.replace('https://verifier.example', 'ftp://x').replace('8443', '99999').replace('dir = "keys"', 'dir = 3').concat('\nsurprise = 1\n'));
    for (const word of ['issuer', 'listen', 'keys.dir', 'surprise']) expect(message).toContain(word);
  });

  it('serves without TLS to this machine only', () => {
    expect(wrong(GOOD.replace('127.0.0.1', '0.0.0.0'))).toContain('loopback');
    expect(wrong(GOOD.replace('127.0.0.1', 'verifier.example'))).toContain('loopback');
    expect(wrong(GOOD.replace('127.0.0.1:8443', '[::1]:8443'))).toBe('accepted');
    expect(wrong(GOOD.replace('127.0.0.1', '0.0.0.0').concat('\n[tls]\ncert_file = "c.pem"\nkey_file = "k.pem"\n'))).toBe('accepted');
  });

  it('settles at a provider only with its address and its key, and names neither for the ledger', () => {
    const at = (settlement: string) => `${GOOD}\n[roles.settlement]\n${settlement}`;
    const provider = 'psp_url = "https://psp.example"\npsp_key_file = "psp.jwk"';
    expect(parseConfig(at(`adapter = "http"\n${provider}`), 'f').psp).toEqual({ url: 'https://psp.example', keyFile: 'psp.jwk' });
    expect(parseConfig(GOOD, 'f').psp).toBeNull();
    for (const text of ['adapter = "http"', `adapter = "ledger"\n${provider}`, 'adapter = "http"\npsp_url = "https://psp.example"', `adapter = "http"\n${provider.replace('https:', 'http:')}`, 'adapter = "wire"']) expect(wrong(at(text))).toContain('settlement');
  });

  it('wants one place for its store, and says where text is no TOML', () => {
    expect(wrong(GOOD.replace('path = "data/verifier.db"', ''))).toContain('store');
    expect(wrong(GOOD.replace('path = "data/verifier.db"', 'path = "a", url = "postgres://b"'))).toContain('store');
    expect(wrong('issuer = ')).not.toBe('accepted');
  });

  it('takes a PostgreSQL server for a store, without its password, and the environment before the file', () => {
    const server = (url: string): string => GOOD.replace('path = "data/verifier.db"', `url = "${url}"`);
    expect(parseConfig(server('postgres://ari@db.example/ari'), 'f').store).toEqual({ url: 'postgres://ari@db.example/ari' });
    for (const url of ['mysql://db/ari', 'db.example', 'postgres://ari:secret@db.example/ari']) expect(wrong(server(url))).toContain('url');
    const file = join(dir, 'verifier.toml');
    writeFileSync(file, GOOD);
    expect(placeOf(loadConfig(file, 'postgres://ari:secret@db.example/ari'))).toEqual({ url: 'postgres://ari:secret@db.example/ari' });
    expect(placeOf(loadConfig(file, ''))).toEqual({ path: join(dir, 'data/verifier.db') });
  });

  it('takes relative paths from its own folder', () => {
    const file = join(dir, 'verifier.toml');
    writeFileSync(file, GOOD);
    const config = loadConfig(file);
    expect(config.store.path).toBe(join(dir, 'data/verifier.db'));
    expect(config.trust.policyFile).toBe(join(dir, 'policy.jwt'));
    expect(codeOf(() => loadConfig(join(dir, 'absent.toml')))).toBe('config.unreadable');
  });
});

describe('the keys', () => {
  const config = { ...parseConfig(GOOD, 'f'), keys: { dir: join(dir, 'keys') }, api: { adminTokenFile: join(dir, 'admin.token') }, trust: { ekRoots: [], akRoots: [], testRoots: [], crlStale: 'refuse' as const, blockListFile: 'builtin', publishers: join(dir, 'publishers.json'), policyFile: join(dir, 'policy.jwt') } };

  it('are made once, for their owner only, one per role with its prefix', () => {
    initVerifier(config);
    const keys = loadKeys(config.keys.dir, 'log.example');
    expect([keys.verifier, keys.carrier, keys.settlement, keys.operator].map(({ kid }) => kid.slice(0, 2))).toEqual(['v-', 'f-', 'p-', 'o-']);
    expect(new Set([keys.verifier, keys.carrier, keys.settlement, keys.operator].map(({ jwk }) => jwk.x)).size).toBe(4);
    for (const file of ['keys/verifier.jwk', 'keys/log.seed', 'keys/nonce.key', 'admin.token']) expect(statSync(join(dir, file)).mode & 0o777).toBe(0o600);
    initVerifier(config);
    expect(loadKeys(config.keys.dir, 'log.example').verifier.kid).toBe(keys.verifier.kid);
  });

  it('come with a policy of the operator that allows no simulated TPM', () => {
    const { operator } = loadKeys(config.keys.dir, 'log.example');
    const policy = open(POLICY, readFileSync(config.trust.policyFile, 'utf8').trim(), () => verifyKey(operator.jwk, operator.kid));
    expect(policy.value).toMatchObject({ allowSimulated: false, stage: 'enforce' });
    expect(policy.value.levels).not.toContain('L5');
  });

  it('are refused when others may read them, or when one is missing or cut short', () => {
    const file = join(config.keys.dir, 'carrier.jwk');
    chmodSync(file, 0o640);
    expect(codeOf(() => loadKeys(config.keys.dir, 'log.example'))).toBe('config.unreadable');
    chmodSync(file, 0o600);
    writeFileSync(join(config.keys.dir, 'nonce.key'), 'AAAA');
    expect(codeOf(() => loadKeys(config.keys.dir, 'log.example'))).toBe('config.unreadable');
    rmSync(join(config.keys.dir, 'nonce.key'));
    expect(codeOf(() => loadKeys(config.keys.dir, 'log.example'))).toBe('config.unreadable');
  });
});
