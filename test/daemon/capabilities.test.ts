import { chmodSync, chownSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { CAPABILITIES, CAPABILITY_NAMES, capabilityFacts, heldBy, listenerOn } from '../../daemon/capabilities.js';
import { stringify } from '../../src/base/shape.js';
import { agentManifest } from '../../src/objects/manifest.js';
import { agentIn, NODE, Program, removeDir, tempDir, writeTree } from './support/agents.js';

const root = process.getuid?.() === 0;
const SIDECAR = 30_001, AGENT = 30_002;
const FILES = 400;
const PROGRAM = `import { appendFileSync } from 'node:fs';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
connect(process.argv[2], () => console.log('ready'));
for await (const line of createInterface({ input: process.stdin })) {
  appendFileSync(line, '//');
  console.log('written');
}
`;
const MEASURER = join(import.meta.dirname, 'support/measurer.mjs');
const as = (uid: number, capabilities: readonly string[]): string[] => {
  const list = ['-all', ...capabilities.map((name) => `+${name.slice('CAP_'.length).toLowerCase()}`)].join(',');
  return ['--reuid', String(uid), '--regid', String(uid), '--clear-groups', '--inh-caps', list, '--ambient-caps', list, '--bounding-set', list];
};

interface Looked { found: string[]; looks: number; cpuMs: number; lacking: string[] }

describe.skipIf(!root)('a sidecar of its own user, and an agent of another', () => {
  let dir: string;
  let agentRoot: string;
  const started: Program[] = [];
  const program = (uid: number, capabilities: readonly string[], command: string[]): Program => {
    const one = new Program('setpriv', [...as(uid, capabilities), ...command]);
    started.push(one);
    return one;
  };

  beforeAll(async () => {
    dir = tempDir();
    chmodSync(dir, 0o711);
    agentRoot = join(dir, 'agent');
    writeTree(agentRoot, { 'agent.mjs': PROGRAM, ...Object.fromEntries(Array.from({ length: FILES }, (_, n) => [`package/${n}.js`, `export default ${n};\n`])) });
    const { manifest } = await agentIn(agentRoot, 'agent.mjs', 'node');
    writeFileSync(join(dir, 'manifest.json'), stringify(agentManifest, manifest.value));
    for (const name of ['', ...readdirSync(agentRoot, { recursive: true }) as string[]]) {
      chownSync(join(agentRoot, name), AGENT, AGENT);
      chmodSync(join(agentRoot, name), name.endsWith('js') ? 0o600 : 0o700);
    }
  });
  afterAll(async () => {
    for (const one of started) await one.end();
    removeDir(dir);
  });

  async function met(capabilities: readonly string[]): Promise<{ agent: Program; heard: string; look: () => Promise<Looked> }> {
    const own = join(dir, capabilities.join('-') || 'none');
    mkdirSync(own);
    chownSync(own, SIDECAR, SIDECAR);
    const socket = join(own, 'agent.sock');
    const sidecar = program(SIDECAR, capabilities, [process.execPath, MEASURER, socket, agentRoot, join(dir, 'manifest.json')]);
    expect(await sidecar.line()).toBe('listening');
    chmodSync(socket, 0o777);
    const agent = program(AGENT, [], [NODE, join(agentRoot, 'agent.mjs'), socket]);
    expect(await agent.line()).toBe('ready');
    const heard = await sidecar.line();
    return { agent, heard, look: async () => JSON.parse(await sidecar.ask('look')) as Looked };
  }
  const file = (n: number): string => join(agentRoot, `package/${n}.js`);
  /** Whatever this machine's kernel leaves open is no matter here. */
  const ofAgent = ({ found }: Looked): string[] => found.filter((code) => !['agent.host_open', 'agent.privileged'].includes(code));

  it('measures it with exactly the capabilities of the service, and unchanged looks at none of its files again', async () => {
    const { agent, look } = await met(CAPABILITY_NAMES);
    const first = await look();
    expect(first).toMatchObject({ lacking: [] });
    expect(ofAgent(first)).toEqual([]);
    expect(first.looks).toBeGreaterThan(FILES);
    expect((await look()).looks).toBeLessThan(5);
    await agent.ask(file(7));
    expect(ofAgent(await look())).toEqual(['agent.version_not_authorised', 'agent.drift']);
  });

  it('without CAP_LEASE looks at each file every time, and misses no change', async () => {
    const { agent, look } = await met(CAPABILITY_NAMES.filter((name) => name !== 'CAP_LEASE'));
    const first = await look();
    expect(first.lacking).toEqual(['CAP_LEASE']);
    expect((await look()).looks).toBeGreaterThan(FILES);
    await agent.ask(file(8));
    expect((await look()).found.filter((code) => code === 'agent.drift').length).toBe(first.found.filter((code) => code === 'agent.drift').length + 1);
  });

  it.each(['CAP_SYS_PTRACE', 'CAP_DAC_READ_SEARCH'])('without %s refuses it when it connects', async (missing) => {
    expect((await met(CAPABILITY_NAMES.filter((name) => name !== missing))).heard).toBe('refused: peer.unreadable');
  });
});

describe('what a process holds', () => {
  it('is read of the kernel', () => {
    expect(heldBy('self').uid).toBe(process.getuid?.());
    expect(() => heldBy(4_194_305)).toThrow('ENOENT');
  });

  it('is that of the process that listens', async () => {
    const dir = tempDir();
    const path = join(dir, 'sidecar.sock');
    expect(await listenerOn(path)).toBeNull();
    const other = new Program(NODE, ['-e', `require('net').createServer().listen(${JSON.stringify(path)}, () => console.log('up'))`]);
    await other.line();
    expect(await listenerOn(path)).toBe(other.child.pid);
    await other.end();
    expect(await listenerOn(path)).toBeNull();
    removeDir(dir);
  });

  it('is told by the doctor with what its lack costs, where an agent is of another user', () => {
    const lacking = CAPABILITIES.filter(({ name }) => name === 'CAP_LEASE');
    expect(capabilityFacts({ uid: 1000, lacking }, [{ uid: 1000 }])).toMatchObject([{ name: 'capabilities', ok: true }]);
    expect(capabilityFacts({ uid: 1000, lacking: [] }, [{ uid: 1001 }])).toMatchObject([{ name: 'capabilities', ok: true }]);
    for (const uid of [1001, undefined]) {
      const facts = capabilityFacts({ uid: 1000, lacking }, [{ uid: 1000 }, { uid }]);
      expect(facts).toEqual([{ name: 'CAP_LEASE', ok: false, detail: expect.stringContaining('each file of such an agent is looked at'), fix: expect.stringContaining('AmbientCapabilities=CAP_LEASE') }]);
    }
  });
});
