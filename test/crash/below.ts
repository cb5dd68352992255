/** SQL below the verbs, of either database. */
import Libsql from 'libsql';
import type { StorePlace } from '../../verifier/store/store.js';
import { type SqlRow, SqlThread } from '../support/postgres/sql.js';

export interface Below { sql(text: string): SqlRow[]; close(): Promise<void> }

export function below(place: StorePlace): Below {
  if ('url' in place) {
    const thread = new SqlThread();
    return { sql: (text) => thread.run(place.url, text), close: () => thread.close() };
  }
  const file = new Libsql(place.path);
  file.defaultSafeIntegers(true);
  file.exec('PRAGMA busy_timeout=5000');
  return { sql: (text) => file.prepare(text).all() as SqlRow[], close: () => { file.close(); return Promise.resolve(); } };
}
