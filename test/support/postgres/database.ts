/** Gives each file of tests a database of its own, in place of the one that its verifiers are configured for. */
import { randomBytes } from 'node:crypto';
import pg from 'pg';
import { afterAll, beforeAll, inject } from 'vitest';
import { databaseAt } from './cluster.js';

const name = `file_${randomBytes(6).toString('hex')}`;

async function root(text: string): Promise<void> {
  const client = new pg.Client({ connectionString: databaseAt(inject('postgres'), 'postgres') });
  await client.connect();
  await client.query(text);
  await client.end();
}

process.env['DATABASE_URL'] = databaseAt(inject('postgres'), name);
beforeAll(() => root(`CREATE DATABASE ${name}`));
afterAll(() => root(`DROP DATABASE ${name} WITH (FORCE)`));
