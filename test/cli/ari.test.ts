/** The command line as a person or script meets it: help, exit status, errors with their next step. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { Command } from 'commander';
import { ARI } from '../../cli/demo/processes.js';
import { commands } from '../../cli/commands/index.js';
import { verifierToml } from '../../cli/commands/verifier.js';
import { loadConfig } from '../../verifier/config.js';
import { initVerifier } from '../../verifier/init.js';
import { GOOD_BOOT, agileLog } from '../attest/support/logs.js';

const dir = mkdtempSync(join(tmpdir(), 'ari-cli-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const ari = (...args: string[]) => spawnSync(process.execPath, [ARI, ...args], { encoding: 'utf8', env: { ...process.env, NO_COLOR: '1' } });
const file = (name: string, text: string | Buffer): string => { writeFileSync(join(dir, name), text); return join(dir, name); };

const agent = join(dir, 'agent');
mkdirSync(agent);
writeFileSync(join(agent, 'agent.mjs'), '');
const config = file('verifier.toml', verifierToml({ issuer: 'http://127.0.0.1:1', listen: '127.0.0.1:0' }));
initVerifier(loadConfig(config));

const root = new Command('ari').enablePositionalOptions();
for (const register of await commands()) register(root);
const leaves = (command: Command, path: string[] = []): { path: string[]; command: Command }[] =>
  command.commands.length === 0 ? [{ path, command }] : command.commands.flatMap((sub) => leaves(sub, [...path, sub.name()]));

describe('every sub-command', () => {
  it.each(leaves(root).map(({ path, command }) => [path.join(' '), command] as const))('%s says what it does, and what each option is', (_, command) => {
    expect(command.summary().length).toBeGreaterThan(10);
    expect(command.description().length).toBeGreaterThan(command.summary().length / 2);
    for (const option of command.options) expect(option.description, option.flags).toMatch(/\w{2}/);
  });
});

describe('ari', () => {
  it('prints help and ends with 0', () => {
    const { status, stdout } = ari('--help');
    expect(status).toBe(0);
    for (const { path } of leaves(root)) expect(stdout).toContain(path[0]);
    expect(stdout).toContain('Exit status');
    expect(stdout).not.toMatch(/[<>]/);
  });

  it.each([
    ['an unknown command', ['nonsense'], 2, 'unknown command'],
    ['a missing option', ['pay'], 2, 'required option'],
    ['a configuration that is missing', ['daemon', '-c', join(dir, 'none.toml')], 2, 'config.unreadable'],
    ['a configuration that is wrong', ['daemon', '-c', file('bad.toml', 'foo = 1')], 2, 'verifier: is missing'],
    ['a sidecar that is not there', ['status', '--socket', join(dir, 'none.sock')], 3, 'link.sidecar'],
    ['a verifier that is not there', ['carrier', 'show', 'x', '-u', 'http://127.0.0.1:1', '--admin-token-file', file('token', 'x')], 3, 'link.offline'],
    ['an amount that is no integer', ['pay', '--payee', 'x', '--amount', '1.50', '--currency', 'CNY', '--order', '1'], 1, 'money.not_integer'],
    ['a bundle with a key twice', ['verify', file('dup.json', '{"a":1,"a":2}'), '--keys', file('keys.json', '{"keys":[],"ari_logs":[]}')], 1, 'intake.json_ambiguous'],
    ['a bundle that is none', ['verify', file('no.json', '{}'), '--keys', join(dir, 'keys.json')], 1, 'does not hold'],
  ])('answers %s with status and code', (_, args, expected, said) => {
    const { status, stdout, stderr } = ari(...args);
    expect(stdout + stderr).toContain(said);
    expect(status).toBe(expected);
    expect(stderr).not.toMatch(/\n\s+at /);
  });

  it('prints one JSON object for a fault when asked for JSON', () => {
    const { stdout, status } = ari('status', '--json', '--socket', join(dir, 'none.sock'));
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'link.sidecar', fix: expect.any(String) as string } });
    expect(status).toBe(3);
  });

  it('prints one JSON object for a command line that is wrong, too', () => {
    const { stdout, stderr, status } = ari('verify', 'bundle', '--json');
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'usage.wrong', detail: expect.stringContaining('--keys') as string } });
    expect(stderr).toBe('');
    expect(status).toBe(2);
  });

  it.each([
    ['inspect', ['eventlog', file('log', agileLog(GOOD_BOOT))], 0, { events: GOOD_BOOT.length + 1 }],
    ['inspect', ['cert', file('cut.der', Buffer.from('3003', 'hex'))], 1, { error: { code: 'cert.malformed' } }],
    ['manifest', ['build', agent, '--id', 'com.example.a', '--version', '1', '--publisher', 'example.com', '--entry', 'agent.mjs', '--runtime', 'node', '--interpreter', process.execPath, '-o', join(dir, 'manifest.json')], 0, { files: 1, uncompiled: 0 }],
    ['verifier', ['tls', '-c', config, '--host', '127.0.0.1'], 0, { config_changed: true }],
    ['policy', ['environment', 'strict', '-c', config], 0, { policy: { version: 2 } }],
    ['policy', ['learn', join(dir, 'no.json'), '-c', config, '--keys', join(dir, 'keys.json')], 1, { error: { code: 'bundle.edge' } }],
  ])('%s, as a process, prints one JSON object and nothing else, and ends by itself', (group, args, expected, printed) => {
    const { stdout, stderr, status } = ari(group, ...args, '--json');
    expect(JSON.parse(stdout)).toMatchObject(printed);
    expect(stderr).toBe('');
    expect(status).toBe(expected);
  });

  it('uses no colours where there is no terminal', () => {
    expect(spawnSync(process.execPath, [ARI, 'nonsense'], { encoding: 'utf8', env: { PATH: process.env['PATH'] } }).stderr).not.toContain('\u001b[');
  });
});
