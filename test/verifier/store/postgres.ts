/** A database for each test on one server, copied from one that has the schema and nothing in it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { openStore } from '../../../verifier/store/store.js';
import { databaseAt } from '../../support/postgres/cluster.js';
import { SqlThread } from '../../support/postgres/sql.js';
import type { TestDatabase } from './bench.js';

const EMPTY = 'ari_empty';

export class Postgres {
  private readonly server: string;
  readonly thread = new SqlThread();
  private made = 0;

  private constructor(server: string) {
    this.server = server;
  }

  /** `server`: its URL, without a database. */
  static async on(server: string): Promise<Postgres> {
    const postgres = new Postgres(server);
    postgres.root(`CREATE DATABASE ${EMPTY}`);
    await (await openStore({ url: databaseAt(server, EMPTY) })).close();
    return postgres;
  }

  private root(text: string): void {
    this.thread.run(databaseAt(this.server, 'postgres'), text);
  }

  /** A database cannot be copied while somebody who just left it is still there. */
  async create(): Promise<string> {
    const name = `ari_${++this.made}`;
    for (let left = 100; ; await sleep(10)) {
      try {
        this.root(`CREATE DATABASE ${name} TEMPLATE ${EMPTY} STRATEGY FILE_COPY`);
        return name;
      } catch (error) {
        if (--left === 0) throw error;
      }
    }
  }

  readonly make = async (): Promise<TestDatabase> => {
    const name = await this.create();
    const url = databaseAt(this.server, name);
    return {
      name: 'postgres', place: { url },
      open: () => openStore({ url }),
      sql: (text) => this.thread.run(url, text),
      dispose: async () => {
        this.thread.run(url, null);
        this.root(`DROP DATABASE ${name} WITH (FORCE)`);
        await Promise.resolve();
      },
    };
  };

  close(): Promise<void> {
    return this.thread.close();
  }
}
