/** Before all tests: the software TPM, and Python as an agent and attacker, are there or are installed; and a folder for the TPMs that are manufactured in this run. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensurePackages, SWTPM } from '../../cli/demo/packages.js';

export default function setup(): () => void {
  ensurePackages({ ...SWTPM, python3: ['python3'] }, (text) => process.stderr.write(`${text}\n`));
  const tpms = mkdtempSync(join(tmpdir(), 'ari-tpms-'));
  process.env['ARI_TEST_TPMS'] = tpms;
  return () => rmSync(tpms, { recursive: true, force: true });
}
