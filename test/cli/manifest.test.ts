import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execFileSync } from 'node:child_process';
import { afterAll, expect, it } from 'vitest';
import { ari } from './support.js';

const dir = mkdtempSync(join(tmpdir(), 'ari-manifest-'));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const python = execFileSync('python3', ['-c', 'import sys; print(sys.executable)'], { encoding: 'utf8' }).trim();

it('ari manifest build says which modules Python would write a cache for, until they are compiled', async () => {
  const agent = join(dir, 'agent');
  mkdirSync(join(agent, 'tools'), { recursive: true });
  for (const name of ['agent.py', 'shop.py', 'tools/flowers.py']) writeFileSync(join(agent, name), 'PRICE = 100\n');
  const build = async (...more: string[]): Promise<string> => {
    const { status, out } = await ari('manifest', 'build', agent, '--id', 'com.example.a', '--version', '1', '--publisher', 'example.com', '--entry', 'agent.py', '--runtime', 'python', '--interpreter', python, '-o', join(dir, 'manifest.json'), ...more);
    expect(status).toBe(0);
    return out;
  };
  expect(await build()).toContain('2 modules have no compiled form');
  execFileSync(python, ['-m', 'compileall', '-q', '--invalidation-mode', 'checked-hash', agent]);
  expect(JSON.parse(await build('--json'))).toMatchObject({ uncompiled: 0 });
});
