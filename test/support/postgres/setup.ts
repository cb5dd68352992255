/** Before the tests on PostgreSQL: the server's programs are there or are installed. */
import { ensurePackages } from '../../../cli/demo/packages.js';
import base from '../setup.js';
import { serverPrograms } from './cluster.js';

export default function setup(): void {
  base();
  if (serverPrograms() === null) ensurePackages({ postgresql: ['initdb'] }, (text) => process.stderr.write(`${text}\n`));
}
