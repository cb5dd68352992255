import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** The folder of foreign data: `ARI_VECTORS`, or `shared/vectors` beside the project; null when there is none. */
const folder = process.env['ARI_VECTORS'] ?? fileURLToPath(new URL('../../../shared/vectors', import.meta.url));
export const VECTORS: string | null = existsSync(folder) ? folder : null;
/** The title of a suite of foreign data, saying why it is skipped where the data is not. */
export const vectorTitle = (title: string): string => (VECTORS === null ? `${title} (skipped: no foreign data here; set ARI_VECTORS)` : title);
