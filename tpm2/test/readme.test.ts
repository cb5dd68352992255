import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { COMMANDS } from '../src/index.js';
import { startSwtpm, type Swtpm } from './support/swtpm.js';

const here = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));
const examples = readdirSync(here('examples')).filter((name) => name.endsWith('.ts'));
const readme = readFileSync(here('README.md'), 'utf8');

describe('the examples run', () => {
  let swtpm: Swtpm;
  const argv = process.argv[2];
  beforeAll(async () => { swtpm = await startSwtpm({ ecCertificate: true }); });
  afterAll(async () => {
    if (argv === undefined) process.argv.splice(2, 1);
    else process.argv[2] = argv;
    await swtpm.stop();
  });

  const says: Record<string, (lines: unknown[][]) => void> = {
    'random.ts': ([line]) => expect(line?.[0]).toMatch(/^[0-9a-f]{64}$/),
    'quote.ts': ([line]) => expect(line?.[0]).toMatchObject({ genuine: true, fresh: true, signer: true }),
    'seal.ts': (lines) => expect(lines).toEqual([['only in this state'], ['TPM_RC_POLICY_FAIL']]),
    'nv-counter.ts': ([line]) => { const { first, second } = (line ?? [])[0] as { first: bigint; second: bigint }; expect(second).toBe(first + 1n); },
    'enrol.ts': ([line]) => expect(line?.[0]).toEqual({ kind: 'ekP256', enrolled: true }),
    'errors.ts': ([line]) => expect(line).toEqual(['fine']),
  };

  it.each(examples)('%s, on a software TPM', async (name) => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined);
    process.argv[2] = swtpm.spec;
    try {
      await import(here(`examples/${name}`));
      says[name]?.(log.mock.calls);
      expect(Object.keys(says)).toContain(name);
    } finally {
      log.mockRestore();
    }
  });
});

describe('the README', () => {
  it('shows only code that is in an example that runs', () => {
    const sources = examples.map((name) => readFileSync(here(`examples/${name}`), 'utf8'));
    const blocks = [...readme.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, block]) => block ?? '');
    expect(blocks.length).toBeGreaterThan(5);
    for (const block of blocks) expect(sources.some((source) => source.includes(block)), block).toBe(true);
  });

  it('lists every command, with its handles, parameters and answers', () => {
    const rows = [...COMMANDS.values()].sort((a, b) => a.name.localeCompare(b.name)).map((row) => {
      const handles = row.handles.map(({ name, role }) => (role === 'none' ? name : `${name} (${role})`)).join(', ');
      return `| \`${row.name.slice(5)}\` | 0x${row.code.toString(16)} | ${handles} | ${fieldsOf(row.params)} | ${[row.handle, fieldsOf(row.returns)].filter(Boolean).join(', ')} |`;
    });
    const table = ['| row | code | handles (auth role) | params | answer |', '|---|---|---|---|---|', ...rows].join('\n');
    const must = readme.replace(/<!-- commands -->[\s\S]*<!-- \/commands -->/, () => `<!-- commands -->\n${table}\n<!-- /commands -->`);
    if (process.env['WRITE_README'] === '1') writeFileSync(here('README.md'), must);
    else expect(readme === must, 'run with WRITE_README=1').toBe(true);
  });
});

function fieldsOf(codec: { fields?: readonly string[] }): string {
  return (codec.fields ?? []).join(', ');
}
