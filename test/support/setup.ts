/** Before all tests: the software TPM, and Python as an agent and attacker, are there or are installed. */
import { ensurePackages, SWTPM } from '../../cli/demo/packages.js';

export default function setup(): void {
  ensurePackages({ ...SWTPM, python3: ['python3'] }, (text) => process.stderr.write(`${text}\n`));
}
