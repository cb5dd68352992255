import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { loadConfig, parseConfig } from '../../daemon/config.js';
import { codeOf } from '../support/fault.js';

const GOOD = `
[verifier]
url = "wss://verifier.example:8443"
keys_file = "keys.json"
[agents]
allow = [{ id = "com.example.a", manifest_file = "a/manifest.jwt" }]
`;
const dir = mkdtempSync(join(tmpdir(), 'ari-config-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe("the sidecar's configuration", () => {
  it('needs the verifier and the agents; the rest has the defaults of the documentation', () => {
    expect(parseConfig(GOOD, 'f')).toMatchObject({
      tpm: { channel: 'device:/dev/tpmrm0', registerIndex: 0x01d10300, counterIndex: 0x01d10301 },
      agents: { socket: '/run/ari/agent.sock' }, state: { dir: '/var/lib/ari' }, limits: { bodyBytes: 65_536, paymentsPerMinute: 600 }, log: { level: 'info' },
    });
  });

  it('takes relative paths from the folder of the file, and the root of an agent from its manifest', () => {
    const file = join(dir, 'sidecar.toml');
    writeFileSync(file, GOOD);
    expect(loadConfig(file)).toMatchObject({ verifier: { keysFile: join(dir, 'keys.json') }, agents: { allow: [{ manifestFile: join(dir, 'a/manifest.jwt'), root: join(dir, 'a') }] } });
  });

  it("names a cloud's attestation key by its handle or its template, and its certificate by an index or a file; files of the TPM are found as others are", () => {
    const file = join(dir, 'cloud.toml');
    writeFileSync(file, `${GOOD}\n[tpm]\nowner_auth_file = "owner"\nendorsement_auth_file = "/etc/ari/endorsement"\n[tpm.provider]\nkey = 0x01c10003\ncertificate = "ak.pem"\n`);
    expect(loadConfig(file).tpm).toMatchObject({ ownerAuthFile: join(dir, 'owner'), endorsementAuthFile: '/etc/ari/endorsement', provider: { key: 0x01c10003, certificate: join(dir, 'ak.pem') } });
    expect(parseConfig(`${GOOD}\n[tpm.provider]\nkey = 0x81000003\ncertificate = 0x01c101d0\n`, 'f').tpm.provider).toEqual({ key: 0x81000003, certificate: 0x01c101d0 });
  });

  it('names every wrong line at once', () => {
    const bad = '[verifier]\nurl = "http://verifier.example"\n[tpm]\nchannel = "tpm0"\n[limits]\nbody_bytes = 1\n[log]\nlevel = "loud"\nfoo = 1\n';
    expect(() => parseConfig(bad, 'f')).toThrow(expect.objectContaining({ code: 'config.invalid' }));
    try {
      parseConfig(bad, 'f');
    } catch (error) {
      for (const line of ['verifier.url: must be wss://', 'verifier.keys_file: is missing', 'tpm.channel', 'limits.body_bytes', 'log.level', 'log: Unrecognized key: "foo"', 'agents: is missing']) expect((error as Error).message).toContain(line);
    }
  });

  it.each([
    ['a verifier over plain WebSocket on another machine', GOOD.replace('wss://verifier.example', 'ws://10.0.0.1')],
    ['a key that is unknown', `${GOOD}\n[verifer]\nurl = "x"\n`],
    ['an NV index outside the range of NV indices', `${GOOD}\n[tpm]\nregister_index = 0x81000000\n`],
    ["a cloud's key at a handle that is neither persistent nor an index", `${GOOD}\n[tpm.provider]\nkey = 0x80000000\ncertificate = 0x01c101d0\n`],
    ["a cloud's key without its certificate", `${GOOD}\n[tpm.provider]\nkey = 0x81000003\n`],
    ['text that is no TOML', 'url = '],
    ['a key that stands twice', `${GOOD}\n[verifier]\nurl = "wss://other"\n`],
  ])('refuses %s', (_, text) => {
    expect(codeOf(() => parseConfig(text, 'f'))).toBe('config.invalid');
  });

  it('says which file cannot be read', () => {
    expect(codeOf(() => loadConfig(join(dir, 'missing.toml')))).toBe('config.unreadable');
  });
});
