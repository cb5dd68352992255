/** Before the tests on PostgreSQL: a server of their own, whose programs are there or are installed. */
import type { TestProject } from 'vitest/node';
import { ensurePackages } from '../../../cli/demo/packages.js';
import base from '../setup.js';
import { Cluster, serverPrograms } from './cluster.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** URL of the server, without a database. */
    postgres: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  base();
  if (serverPrograms() === null) ensurePackages({ postgresql: ['initdb'] }, (text) => process.stderr.write(`${text}\n`));
  const cluster = await Cluster.start();
  project.provide('postgres', cluster.url(''));
  return () => cluster.close();
}
