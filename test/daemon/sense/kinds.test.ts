import { createServer } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildManifest, compareWithManifest } from '../../../attest/manifest.js';
import { weighs } from '../../../attest/verify/status.js';
import { fileHashes } from '../../../daemon/sense/hash.js';
import { hashTree } from '../../../daemon/sense/build.js';
import { learnMappings, mappingsOf } from '../../../daemon/sense/learn.js';
import { type Door, openDoor } from '../../../daemon/door/door.js';
import { launch } from '../../../daemon/launch/launch.js';
import { Launches } from '../../../daemon/launch/launches.js';
import { planOf } from '../../../daemon/launch/plan.js';
import { Lives } from '../../../daemon/lives.js';
import type { Agent } from '../../../daemon/ports.js';
import { AriClient } from '../../../client/index.js';
import { JVM, NATIVE, NODE, SHELL } from '../../attack/bed.js';
import { CONTAINED, VENV } from '../../soak/kinds.js';
import { verifiedManifest } from '../../support/agent.js';
import { Program, removeDir, tempDir } from '../support/agents.js';
import { recordingApi, silentLog } from '../support/api.js';

const PAYMENTS = 20;

describe.each([NATIVE, NODE, VENV, JVM, SHELL, CONTAINED])('a clean $name agent', (kind) => {
  let dir: string;
  let made: boolean;
  let agent: Agent;
  let door: Door;
  let launches: Launches;
  let lives: Lives;
  let program_: Program;
  const found: string[] = [];
  const socketOf = (): string => join(dir, 'agent.sock');

  beforeAll(async () => {
    dir = tempDir();
    made = await kind.make(join(dir, kind.name));
    if (!made) return;
    launches = new Launches();
    lives = new Lives({ append: async () => undefined, log: () => ({ epoch: '', from: 0, entries: [] }) }, launches, silentLog);
    const files = await hashTree(join(dir, kind.name), { interpreters: kind.interpreter === null ? [] : [kind.interpreter] });
    const seen = kind.runtime === 'jvm' || kind.runtime === 'native' ? await running() : await learnMappings(kind.interpreter!, kind.runtime);
    const manifest = buildManifest({
      jti: 'm-1', issuer: 'publisher', nowS: 1_800_000_000, agent: { id: `agent-${kind.name}`, version: '1', publisher: 'publisher' }, files,
      interpreters: kind.interpreter === null ? [] : [{ path: kind.interpreter, sha256: (await fileHashes.hash(kind.interpreter)).sha256 }], mappings: seen,
      launch: { entry: kind.entry, runtime: kind.runtime, allowAnonymousCode: kind.runtime === 'node' || kind.runtime === 'jvm' },
    });
    agent = { id: manifest.agent.id, manifest: verifiedManifest(manifest), root: kind === CONTAINED ? `/${kind.name}` : join(dir, kind.name), uid: null, launchOnly: kind.launchOnly ?? false };
    const recording = recordingApi(async (peer) => {
      const claims = await lives.measure(peer, agent);
      found.push(...compareWithManifest(claims, manifest).filter(weighs).map(({ code, message }) => `${code}: ${message}`));
    });
    door = await openDoor({ socket: socketOf(), agents: [agent], launches, api: recording.api, limits: { bodyBytes: 4096, paymentsPerMinute: 100_000 }, log: silentLog });
    program_ = await start();
  }, 60_000);
  afterAll(async () => {
    await (program_ as Program | undefined)?.end();
    await (door as Door | undefined)?.close();
    if (made) {
      launches.close();
      lives.close();
    }
    removeDir(dir);
  });

  const command = (): [string, string[]] => {
    const [name, ...args] = kind.command(join(dir, kind.name));
    return [name, [...args, kind === CONTAINED ? '/agent.sock' : socketOf()]];
  };
  /** What it maps, as its publisher finds out: from a run with somebody else's answer. */
  async function running(): Promise<Awaited<ReturnType<typeof mappingsOf>>> {
    const anyone = createServer((socket) => socket.resume().end('HTTP/1.1 200 OK\r\n\r\n{"state":"settled"}')).listen(socketOf());
    const once = new Program(...command());
    await once.line();
    await once.ask('pay 1');
    for (let last = 0, now = -1; last !== now;) {
      last = now;
      await new Promise((done) => { setTimeout(done, 300); });
      now = (await mappingsOf(once.child.pid ?? 0)).length;
    }
    const mapped = await mappingsOf(once.child.pid ?? 0);
    await once.end();
    await new Promise((done) => { anyone.close(done); });
    return mapped;
  }
  async function start(): Promise<Program> {
    if (!kind.launchOnly) {
      const started = new Program(...command());
      await started.line();
      return started;
    }
    const client = new AriClient({ socket: socketOf() });
    const plan = planOf(agent, [socketOf()], [], process.env);
    const launched = await Program.of((stdio) => launch({ agent, plan, socket: socketOf(), user: null, announce: (request) => client.launch(request), stdio }));
    client.close();
    await launched.line();
    return launched;
  }

  it(`pays ${PAYMENTS} times and is found clean each time`, async ({ skip }) => {
    if (!made) skip('it cannot be made on this machine');
    for (let payment = 0; payment < PAYMENTS; payment++) expect(await program_.ask(`pay key-${payment}`)).toBe('settled');
    expect(found).toEqual([]);
  }, 30_000 + 50 * PAYMENTS);
});

