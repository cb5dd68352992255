/** One command line, run in this process, and what it printed. */
import { vi } from 'vitest';
import { main } from '../../cli/main.js';

export interface Ran { status: number; out: string; err: string }

export async function ari(...argv: string[]): Promise<Ran> {
  const said = { out: '', err: '' };
  const out = vi.spyOn(process.stdout, 'write').mockImplementation((text) => { said.out += String(text); return true; });
  const err = vi.spyOn(process.stderr, 'write').mockImplementation((text) => { said.err += String(text); return true; });
  try {
    process.exitCode = 0;
    const status = await main(argv);
    return { status, ...said };
  } finally {
    out.mockRestore();
    err.mockRestore();
    process.exitCode = 0;
  }
}

/** What it printed, as JSON too; null where it printed text. */
export async function answer(...argv: string[]): Promise<Ran & { json: Record<string, unknown> | null }> {
  const ran = await ari(...argv);
  return { ...ran, json: ran.out.startsWith('{') ? JSON.parse(ran.out) as Record<string, unknown> : null };
}
