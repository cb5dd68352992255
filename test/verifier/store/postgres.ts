/** A database for each test on one server, copied from one that has the schema and nothing in it. */
import { setTimeout as sleep } from 'node:timers/promises';
import { openStore } from '../../../verifier/store/store.js';
import { Cluster } from '../../support/postgres/cluster.js';
import { SqlThread } from '../../support/postgres/sql.js';
import type { TestDatabase } from './bench.js';

const EMPTY = 'ari_empty';

export class Postgres {
  readonly cluster: Cluster;
  readonly thread = new SqlThread();
  private made = 0;

  private constructor(cluster: Cluster) {
    this.cluster = cluster;
  }

  static async start(): Promise<Postgres> {
    const postgres = new Postgres(await Cluster.start());
    postgres.root(`CREATE DATABASE ${EMPTY}`);
    await (await openStore({ url: postgres.cluster.url(EMPTY) })).close();
    return postgres;
  }

  private root(text: string): void {
    this.thread.run(this.cluster.url('postgres'), text);
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
    const url = this.cluster.url(name);
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

  async close(): Promise<void> {
    await this.thread.close();
    await this.cluster.close();
  }
}
