/** Brings a database up to the newest version of the schema. Two processes may start at once: the second waits, then finds nothing to do. */
import { sql } from 'kysely';
import type { Database, Tx } from './database.js';
import { MIGRATIONS, SCHEMA_VERSION_TABLE } from './schema.js';

async function applyMissing(tx: Tx): Promise<void> {
  await sql.raw(SCHEMA_VERSION_TABLE).execute(tx);
  const applied = new Set((await tx.selectFrom('schema_version').select('version').execute()).map((row) => Number(row.version)));
  for (const { version, statements } of MIGRATIONS.filter((migration) => !applied.has(migration.version))) {
    for (const statement of statements) await sql.raw(statement).execute(tx);
    await tx.insertInto('schema_version').values({ version, applied_ms: Date.now() }).execute();
  }
}

export const migrate = (db: Database): Promise<void> => db.alone(applyMissing);
