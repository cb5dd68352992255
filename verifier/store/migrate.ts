/**
 * Brings a database up to the newest version of the schema. Two processes may start at once: the second waits, then finds nothing to do. A database that another
 * build made with other tables under the same number, or a newer one, is left as it is: half of this schema on half of that would lose promises unseen.
 */
import { sql } from 'kysely';
import { sha256 } from '../../src/base/bytes.js';
import { fault } from '../../src/base/fault.js';
import type { Database, Tx } from './database.js';
import { type Migration, MIGRATIONS, SCHEMA_VERSION_TABLE } from './schema.js';

const hashOf = ({ statements }: Migration): string => sha256(statements.join(';\n'));

/** @throws Fault config.invalid */
function assertOurs(applied: ReadonlyMap<number, string>): void {
  const foreign = [...applied].find(([version, hash]) => !MIGRATIONS.some((ours) => ours.version === version && hashOf(ours) === hash));
  if (foreign) throw fault('config.invalid', { file: 'the database', what: `version ${foreign[0]} of its schema is of another build of ari: use that build, or an empty database` });
}

async function applyMissing(tx: Tx): Promise<void> {
  await sql.raw(SCHEMA_VERSION_TABLE).execute(tx);
  const applied = new Map((await tx.selectFrom('schema_version').selectAll().execute()).map(({ version, sha256: hash }) => [Number(version), hash]));
  assertOurs(applied);
  for (const migration of MIGRATIONS.filter(({ version }) => !applied.has(version))) {
    for (const statement of migration.statements) await sql.raw(statement).execute(tx);
    await tx.insertInto('schema_version').values({ version: migration.version, sha256: hashOf(migration), applied_ms: Date.now() }).execute();
  }
}

/** @throws Fault config.invalid */
export const migrate = (db: Database): Promise<void> => db.alone(applyMissing);
