import Libsql from 'libsql';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { MIGRATIONS } from '../../../verifier/store/schema.js';
import type { MakeDatabase, TestDatabase } from './bench.js';
import { FURTHER, GROUND, PROMISES } from './promises.js';

const STATEMENTS = MIGRATIONS.flatMap((migration) => migration.statements);
const PORTABLE = /\b(BLOB|JSON|JSONB|BOOLEAN|SERIAL|AUTOINCREMENT|REAL|DOUBLE|FLOAT|DATETIME|TIMESTAMP|WITHOUT ROWID|STRICT|FOR UPDATE)\b/i;
const bare = (statement: string): string => statement.replace(/^--.*\n/gm, '');

/** Text from `CHECK(` to the parenthesis that closes it. */
function checksOf(statement: string): string[] {
  return [...statement.matchAll(/CHECK\(/g)].map(({ index }) => {
    let depth = 0;
    for (let at = index; ; at++) {
      if (statement[at] === '(') depth++;
      if (statement[at] === ')' && --depth === 0) return statement.slice(index, at + 1);
    }
  });
}

/** A statement without one of its column or table constraints. */
const cut = (statement: string, constraint: string): string => statement.replace(statement.includes(`, ${constraint}`) ? `, ${constraint}` : ` ${constraint}`, '');

/** Every CHECK and UNIQUE that a statement promises, with the statement as it would be without it. */
function promisesOf(statement: string): { promise: string; without: string }[] {
  const index = /CREATE UNIQUE INDEX (\w+)/.exec(statement)?.[1];
  if (index) return [{ promise: `UNIQUE INDEX ${index}`, without: '' }];
  const table = /CREATE TABLE (\w+)/.exec(statement)?.[1];
  const columns = [...statement.matchAll(/(\w+) TEXT NOT NULL UNIQUE/g)].map(([text, column]) => ({ promise: `${table} UNIQUE(${column})`, without: statement.replace(text, text.replace(' UNIQUE', '')) }));
  const constraints = [...checksOf(statement), ...[...statement.matchAll(/UNIQUE\([^)]*\)/g)].map(([text]) => text)];
  return [...columns, ...constraints.map((text) => ({ promise: `${table} ${text}`, without: cut(statement, text) }))];
}

/** An empty database in memory with these statements and the ground of the cases. */
function groundOf(statements: string[]): Libsql.Database {
  const db = new Libsql(':memory:');
  for (const statement of statements) if (statement !== '') db.exec(statement);
  for (const statement of GROUND) db.exec(statement);
  return db;
}

export const schemaSuite = (make: MakeDatabase) => describe('schema', () => {
  let db: TestDatabase;
  beforeAll(async () => {
    db = await make();
    for (const statement of GROUND) db.sql(`${statement} RETURNING 1`);
  });
  afterAll(() => db.dispose());
  /** Runs a statement and takes it back. */
  const attempt = (statement: string) => {
    db.sql('BEGIN');
    try { db.sql(`${statement} RETURNING 1`); } finally { db.sql('ROLLBACK'); }
  };

  it.each([...PROMISES, ...FURTHER])('$promise', ({ keeps, breaks }) => {
    expect(() => attempt(keeps)).not.toThrow();
    expect(() => attempt(breaks)).toThrow();
  });

  it('each CHECK and UNIQUE of the schema has a case here', () => {
    expect(STATEMENTS.map(bare).flatMap(promisesOf).map(({ promise }) => promise).sort()).toEqual(PROMISES.map(({ promise }) => promise).sort());
  });

  it('each case goes red when its CHECK or UNIQUE is removed', () => {
    const statements = STATEMENTS.map(bare);
    for (const [at, statement] of statements.entries()) {
      for (const { promise, without } of promisesOf(statement)) {
        const broken = groundOf(statements.with(at, without));
        const { breaks } = PROMISES.find((one) => one.promise === promise)!;
        expect(() => broken.exec(breaks), promise).not.toThrow();
        broken.close();
      }
    }
  });

  it('keeps to what every database knows', () => {
    for (const statement of STATEMENTS.map(bare)) expect(statement).not.toMatch(PORTABLE);
  });

  it('is applied once, also by two processes that start together', async () => {
    const [one, two] = await Promise.all([db.open(), db.open()]);
    await Promise.all([one.migrate(), two.migrate(), one.migrate()]);
    expect(db.sql('SELECT version FROM schema_version ORDER BY version')).toEqual(MIGRATIONS.map(({ version }) => ({ version: BigInt(version) })));
    await Promise.all([one.close(), two.close()]);
  });
});
