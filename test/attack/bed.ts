/** A live sidecar, verifier and software TPM, and real agents of several runtimes, each with a manifest, a mandate and a share in one carrier. */
import { execFileSync } from 'node:child_process';
import { appendFile, cp, mkdir, rm, writeFile } from 'node:fs/promises';
import { existsSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { createMandate, fundCarrier, putCarrier } from '../../cli/actions.js';
import { build } from '../../cli/commands/manifest.js';
import { Process } from '../../cli/demo/processes.js';
import { Stage } from '../../cli/demo/stage.js';
import { loadKey } from '../../cli/keys.js';
import { AriClient } from '../../client/index.js';
import { mappingsOf } from '../../daemon/sense/learn.js';
import { AGENT_MANIFEST, type AgentManifest } from '../../src/objects/manifest.js';
import { seal } from '../../src/objects/signed.js';

const AGENTS = fileURLToPath(new URL('./agents/', import.meta.url));
const CARRIER_DAY = 86_400;

/** The path of a program of this machine, or null. */
export function program(name: string): string | null {
  try {
    return realpathSync(execFileSync('/bin/sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim());
  } catch {
    return null;
  }
}
export const PYTHON = existsSync('/usr/bin/python3') ? realpathSync('/usr/bin/python3') : program('python3');

/** A part of the C library that no runtime maps by itself. */
export const LIBRARY = `/usr/lib/${process.arch === 'x64' ? 'x86_64' : 'aarch64'}-linux-gnu/libanl.so.1`;
/** A library that is of the Python agent itself, and its name there: a copy of another such part. */
const EXTENSION = LIBRARY.replace('libanl', 'libBrokenLocale');
export const LIBRARY_NAME = 'extension.so';

export interface Kind {
  readonly name: string;
  readonly runtime: AgentManifest['launch']['runtime'];
  readonly entry: string;
  readonly interpreter: string | null;
  /** Command line without the socket, for an agent below this folder. */
  readonly command: (root: string) => readonly [string, ...string[]];
  /** Puts the agent into a folder. False: it cannot be made here. */
  readonly make: (root: string) => Promise<boolean>;
  readonly launchOnly?: boolean;
  /** Of the user who alone may be it. */
  readonly uid?: number;
  /** The path under which it sees a path of this machine, when it lives in a root of its own. `dir` is the folder of all agents. */
  readonly seen?: (dir: string, path: string) => string;
}

const copy = (name: string) => async (root: string): Promise<boolean> => { await cp(join(AGENTS, name), root, { recursive: true }); return true; };
const java = program('java');

export const NODE: Kind = {
  name: 'node', runtime: 'node', entry: 'agent.mjs', interpreter: realpathSync(process.execPath), command: (root) => [process.execPath, join(root, 'agent.mjs')],
  make: async (root) => {
    await copy('node')(root);
    await mkdir(join(root, 'node_modules/flowers'), { recursive: true });
    await cp(join(root, 'flowers.mjs'), join(root, 'node_modules/flowers/index.mjs'));
    await rm(join(root, 'flowers.mjs'));
    await writeFile(join(root, 'node_modules/flowers/package.json'), '{"name":"flowers","type":"module"}\n');
    return true;
  },
};
export const PYTHON_AGENT: Kind = { name: 'python', runtime: 'python', entry: 'agent.py', interpreter: PYTHON, command: (root) => [PYTHON ?? '', join(root, 'agent.py')], make: async (root) => {
  if (PYTHON === null) return false;
  await copy('python')(root);
  await cp(EXTENSION, join(root, LIBRARY_NAME));
  return true;
} };
export const LAUNCHED: Kind = { ...PYTHON_AGENT, name: 'launched', launchOnly: true };
export const NATIVE: Kind = {
  name: 'native', runtime: 'native', entry: 'agent', interpreter: null, command: (root) => [join(root, 'agent')],
  make: async (root) => {
    if (program('cc') === null) return false;
    await mkdir(root, { recursive: true });
    execFileSync('cc', ['-O2', '-o', join(root, 'agent'), join(AGENTS, 'native/agent.c')]);
    return true;
  },
};
export const JVM: Kind = {
  name: 'jvm', runtime: 'jvm', entry: 'agent.jar', interpreter: java, command: (root) => [java ?? '', '-jar', join(root, 'agent.jar')],
  make: async (root) => {
    if (java === null || program('javac') === null || program('jar') === null) return false;
    const classes = `${root}.classes`;
    await mkdir(root, { recursive: true });
    execFileSync('javac', ['-d', classes, join(AGENTS, 'jvm/Agent.java')]);
    execFileSync('jar', ['--create', '--file', join(root, 'agent.jar'), '--main-class', 'Agent', '-C', classes, '.']);
    return true;
  },
};
export const SHELL: Kind = { name: 'shell', runtime: 'shell', entry: 'agent.sh', interpreter: program('bash'), command: (root) => [program('bash') ?? '', join(root, 'agent.sh')], make: async (root) => program('bash') !== null && copy('shell')(root), launchOnly: true };

export const agentId = ({ name }: Kind): string => `com.example.${name}`;

export class Bed {
  readonly stage: Stage;
  readonly kinds: readonly Kind[];
  private readonly running: Process[] = [];
  private keys = 0;

  private constructor(stage: Stage, kinds: readonly Kind[]) {
    this.stage = stage;
    this.kinds = kinds;
  }

  /** With those of the wanted kinds that can be made on this machine. */
  static async open(wanted: readonly Kind[], { paymentsPerMinute }: { paymentsPerMinute?: number } = {}): Promise<Bed> {
    const stage = await Stage.open();
    const made = await Promise.all(wanted.map((kind) => kind.make(join(stage.dir, kind.name))));
    const bed = new Bed(stage, wanted.filter((_, at) => made[at]));
    await stage.startTpm();
    await stage.startVerifier();
    await stage.createUser();
    await stage.startSidecar();
    await stage.openCarrier();
    for (const kind of bed.kinds) await bed.publish(kind);
    if (paymentsPerMinute !== undefined) await appendFile(stage.sidecarConfig, `\n[limits]\npayments_per_minute = ${paymentsPerMinute}\n`);
    await stage.sidecar.stop();
    await stage.restartSidecar();
    await bed.authorise();
    return bed;
  }

  root(kind: Kind): string {
    return join(this.stage.dir, kind.name);
  }

  /** How an agent of this kind sees a path. */
  private seen(kind: Kind, path: string): string {
    return kind.seen?.(this.stage.dir, path) ?? path;
  }

  private async publish(kind: Kind): Promise<void> {
    const root = this.root(kind);
    const mapped = kind.runtime === 'native' || kind.runtime === 'jvm' ? await this.learn(kind) : null;
    const built = await build(root, {
      id: agentId(kind), version: '1.0.0', publisher: 'example.com', entry: kind.entry, runtime: kind.runtime, prompts: kind === NODE ? ['prompt.md'] : [], models: [], tools: [], skills: [],
      ...(kind.interpreter === null ? {} : { interpreter: kind.interpreter }), ...(mapped === null ? {} : { mappings: mapped }),
    });
    const file = join(this.stage.dir, `${kind.name}.jwt`);
    await writeFile(file, seal(AGENT_MANIFEST, built, loadKey(join(this.stage.dir, 'publisher.jwk'), 'publisher')));
    await appendFile(this.stage.sidecarConfig, `\n[[agents.allow]]\nid = "${agentId(kind)}"\nmanifest_file = "${file}"\nroot = "${this.seen(kind, root)}"\n${kind.launchOnly ? 'launch_only = true\n' : ''}${kind.uid === undefined ? '' : `uid = ${kind.uid}\n`}`);
  }

  /** What the agent maps when it runs, as its publisher would find out. */
  private async learn(kind: Kind): Promise<AgentManifest['mappings']> {
    const [command, ...args] = kind.command(this.root(kind));
    const agent = new Process(kind.name, command, [...args, this.seen(kind, this.stage.socket)]);
    try {
      await agent.ask('pay learn');
      await agent.ask('pay learn');
      return await mappingsOf(agent.pid);
    } finally {
      await agent.stop('SIGKILL');
    }
  }

  /** One carrier for all, one mandate of level L4 each. */
  private async authorise(): Promise<void> {
    const { api, user } = this.stage;
    const now = Math.floor(Date.now() / 1000);
    const carrierId = await putCarrier(api, user, {
      currency: 'CNY', agents: this.kinds.map(agentId),
      rules: {
        perPaymentMax: 20_000n, totalMax: 10_000_000n, windows: [{ period: 'P1D', max: 10_000_000n, count: 100_000 }], scenarios: ['gift.flowers'],
        payees: [{ id: 'florist', origin: 'https://flowers.example', scenario: 'gift.flowers' }], notBefore: now - 5, notAfter: now + CARRIER_DAY,
        hours: { tz: 'UTC', from: '00:00', to: '24:00' }, levels: ['L3', 'L4'], minTier: 'T2', confirmAbove: 15_000n, offline: null,
      },
    });
    await fundCarrier(api, carrierId, 10_000_000n);
    const client = new AriClient({ socket: this.stage.socket });
    const { deviceId } = await client.status();
    for (const kind of this.kinds) {
      await createMandate(api, user, {
        deviceId: deviceId ?? '', agentId: agentId(kind), carrierId, level: 'L3', summary: 'flowers', maxAmount: 20_000n, payees: ['florist'], taskId: 'birthday', maxPayments: 100_000, lifeS: CARRIER_DAY / 2,
      });
    }
    await this.stage.sidecar.until(async () => (await client.status()).agents.filter(({ mandates }) => mandates > 0).length >= this.kinds.length);
    client.close();
  }

  /** An idempotency key that no payment has. */
  key(): string {
    return `key-${++this.keys}`;
  }

  /** Starts an agent as anybody would. `before`: arguments of the interpreter. */
  async start(kind: Kind, { env = {}, before = [], command }: { env?: NodeJS.ProcessEnv; before?: readonly string[]; command?: string } = {}): Promise<Process> {
    const [own, ...args] = kind.command(this.root(kind));
    return this.ready(new Process(kind.name, command ?? own, [...before, ...args, this.seen(kind, this.stage.socket)], env));
  }

  /** Starts it with `ari run`. */
  async launch(kind: Kind): Promise<Process> {
    return this.ready(new Process(kind.name, process.execPath, [fileURLToPath(new URL('../../dist/cli/ari.js', import.meta.url)), 'run', '-c', this.stage.sidecarConfig, agentId(kind), this.stage.socket]));
  }

  async ready(agent: Process): Promise<Process> {
    this.running.push(agent);
    await agent.line();
    return agent;
  }

  /** The code or state that the agent was answered. */
  pay(agent: Process): Promise<string> {
    return agent.ask(`pay ${this.key()}`);
  }

  async endAgents(): Promise<void> {
    for (const agent of this.running.splice(0)) await agent.stop('SIGKILL');
  }

  async close(): Promise<void> {
    await this.endAgents();
    await this.stage.close();
  }
}
