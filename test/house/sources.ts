import { readFileSync, readdirSync } from 'node:fs';
import { join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A TypeScript file: its path from the project's root, with `/`, and its text. */
export interface Source { readonly path: string; readonly text: string }

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Every TypeScript file below a folder of the project. */
export function sourcesOf(folder: string): Source[] {
  const paths = readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile() && /\.m?ts$/.test(entry.name));
  return paths.map((entry) => join(entry.parentPath, entry.name)).sort().map((path) => ({ path: relative(ROOT, path).split(sep).join('/'), text: readFileSync(path, 'utf8') }));
}
