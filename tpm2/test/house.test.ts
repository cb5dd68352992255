import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import * as door from '../src/index.js';

const src = fileURLToPath(new URL('../src', import.meta.url));
const files = readdirSync(src, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('.ts')).map((name) => ({ name, text: readFileSync(join(src, name), 'utf8') }));

it('imports nothing but Node and itself', () => {
  for (const { name, text } of files) for (const [, from] of text.matchAll(/from '([^']+)'/g)) expect(from, name).toMatch(/^(node:|\.{1,2}\/)/);
  expect(JSON.parse(readFileSync(join(src, '../package.json'), 'utf8'))).not.toHaveProperty('dependencies');
});

it('opens files and sockets in the channels alone; the software TPM is a program it starts', () => {
  for (const { name, text } of files) if (!name.startsWith('channel/') && !name.startsWith('swtpm/')) expect(text, name).not.toMatch(/from 'node:(fs|net|child_process|http)/);
});

it('keeps files small: none over 300 lines, half of them under 100', () => {
  const lines = files.map(({ text }) => text.split('\n').length).sort((a, b) => a - b);
  expect(lines.at(-1)).toBeLessThanOrEqual(300);
  expect(lines[lines.length >> 1]).toBeLessThanOrEqual(100);
});

it('has `any` in the codec core and the command rows alone', () => {
  for (const { name, text } of files) if (!/^(wire\/codec|commands\/row)\.ts$/.test(name)) expect(text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*/g, ''), name).not.toMatch(/[:<,]\s*any\b/);
});

it('has a public door with the names that others build on', () => {
  for (const name of ['connect', 'openChannel', 'Tpm', 'TpmError', 'ChannelError', 'WireError', 'decode', 'encode', 'Attest', 'Public', 'NvPublic', 'Signature', 'PcrSelection', 'ClockInfo', 'nameOf', 'nvNameOf', 'qualifiedName',
    'publicKeyOf', 'publicFromKey', 'verifySignature', 'makeCredential', 'templates', 'policies', 'policySecretDigest', 'password', 'hmac', 'RC', 'RH', 'COMMANDS']) expect(door).toHaveProperty(name);
});
