/** Before the tests on PostgreSQL: a server of their own. */
import type { TestProject } from 'vitest/node';
import base from '../setup.js';
import { Cluster } from './cluster.js';

declare module 'vitest' {
  export interface ProvidedContext {
    /** URL of the server, without a database. */
    postgres: string;
  }
}

export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  base();
  const cluster = await Cluster.start();
  project.provide('postgres', cluster.url(''));
  return () => cluster.close();
}
