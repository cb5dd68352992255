/** Each way into an agent, performed on a live one: what must be seen of it. */
import { execFileSync } from 'node:child_process';
import { appendFileSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Process } from '../../cli/demo/processes.js';
import { type Bed, JVM, type Kind, LAUNCHED, LIBRARY, NATIVE, NODE, PYTHON, PYTHON_AGENT, program } from './bed.js';
import { TRANSIENT } from './transient.js';
import { against, type Attack, between, mustAnswer, ran, root, SETTLED, started, word } from './ways.js';

/** Says a word that ends in a new image of the same process. */
const renewed = (text: string) => async (_: Bed, agent: Process): Promise<void> => { agent.say(text); await agent.line(); };

const PTRACE = "assert libc.ptrace(0x4206, pid, None, None) == 0";
const POKE = `start = next(int(l.split('-')[0], 16) for l in open(f'/proc/{pid}/maps') if ' r-xp ' in l and 'libc.so' in l)
with open(f'/proc/{pid}/mem', 'r+b', 0) as memory:
    memory.seek(start + 4096); code = memory.read(4); memory.seek(start + 4096); memory.write(code)`;

/** The order that the agent is about to make, for another amount. */
const OVERCHARGE = `wanted, other = b'"amount":{"amount":100', b'"amount":{"amount":199'
with open(f'/proc/{pid}/mem', 'r+b', 0) as memory:
    for line in open(f'/proc/{pid}/maps'):
        start, end = (int(part, 16) for part in line.split()[0].split('-'))
        if ' rw-p ' not in line or '[v' in line: continue
        memory.seek(start); text = memory.read(end - start); at = text.find(wanted)
        while at >= 0: memory.seek(start + at); memory.write(other); at = text.find(wanted, at + 1)`;
/** Does it, and leaves the agent's files as they were. */
const homeOfUser = (): string => execFileSync('/bin/sh', ['-c', `getent passwd ${process.getuid?.()} | cut -d: -f6`], { encoding: 'utf8' }).trim();
const withFile = (kind: Kind, path: string, change: (file: string) => void, back: 'before' | 'after') => async (bed: Bed): Promise<string> => {
  const file = join(bed.root(kind), path);
  const content = existsSync(file) ? readFileSync(file) : null;
  const restore = (): void => (content === null ? rmSync(file) : writeFileSync(file, content));
  try {
    return await between(kind, () => { change(file); if (back === 'before') restore(); })(bed);
  } finally {
    if (back === 'after') restore();
  }
};

const LOADER: Attack[] = [
  { name: 'LD_PRELOAD of a library', on: NODE, expected: 'agent.foreign_mapping', run: started(NODE, { env: { LD_PRELOAD: LIBRARY } }) },
  { name: 'LD_PRELOAD of a library (native)', on: NATIVE, expected: 'agent.foreign_mapping', run: started(NATIVE, { env: { LD_PRELOAD: LIBRARY } }) },
  { name: 'LD_AUDIT', on: NODE, expected: 'agent.env_risky', run: started(NODE, { env: { LD_AUDIT: LIBRARY } }) },
  { name: 'LD_LIBRARY_PATH', on: PYTHON_AGENT, expected: 'agent.env_risky', run: started(PYTHON_AGENT, { env: { LD_LIBRARY_PATH: '/tmp' } }) },
  { name: 'library loaded later by dlopen', on: PYTHON_AGENT, expected: 'agent.foreign_mapping', run: between(PYTHON_AGENT, word(`load ${LIBRARY}`)) },
  { name: 'library loaded, its file removed', on: PYTHON_AGENT, expected: 'agent.foreign_mapping', run: between(PYTHON_AGENT, async (bed, agent) => {
    const hidden = join(bed.stage.dir, 'hidden.so');
    copyFileSync(LIBRARY, hidden);
    await agent.ask(`load ${hidden}`);
    rmSync(hidden);
  }) },
  { name: 'executable memory without a file', on: PYTHON_AGENT, expected: 'agent.anonymous_code', run: between(PYTHON_AGENT, word('memory')) },
];

const MEMORY: Attack[] = [
  { name: 'ptrace', on: NODE, expected: 'agent.traced', run: async (bed) => {
    const agent = await bed.start(NODE);
    const tracer = await against(agent, PTRACE);
    const seen = await bed.pay(agent);
    await tracer.stop('SIGKILL');
    return seen;
  } },
  { name: 'ptrace, ended before the next payment', on: NODE, expected: 'agent.drifted', run: async (bed) => {
    const agent = await bed.start(NODE);
    const tracer = await against(agent, PTRACE);
    await bed.pay(agent);
    await tracer.stop('SIGKILL');
    return bed.pay(agent);
  } },
  { name: 'code written through /proc/PID/mem', on: NODE, expected: 'agent.code_patched', run: between(NODE, async (_, agent) => (await against(agent, POKE)).stop('SIGKILL')) },
  { name: 'code written through /proc/PID/mem (native)', on: NATIVE, expected: 'agent.code_patched', run: between(NATIVE, async (_, agent) => (await against(agent, POKE)).stop('SIGKILL')) },
  { name: 'data written through /proc/PID/mem', on: PYTHON_AGENT, expected: SETTLED, limit: 'data cannot be told from the program\'s own work', run: between(PYTHON_AGENT, async (_, agent) => {
    await (await against(agent, OVERCHARGE)).stop('SIGKILL');
    await mustAnswer(agent, 'amount', '199');
  }) },
];

const NODE_ATTACKS: Attack[] = [
  { name: 'NODE_OPTIONS', on: NODE, expected: 'agent.env_risky', run: started(NODE, { env: { NODE_OPTIONS: '--max-old-space-size=512' } }) },
  { name: '--require', on: NODE, expected: 'agent.env_risky', run: started(NODE, { before: ['--require=node:fs'] }) },
  { name: '--inspect', on: NODE, expected: 'agent.inspector', run: started(NODE, { before: ['--inspect=127.0.0.1:0'] }) },
  { name: 'inspector by SIGUSR1', on: NODE, expected: 'agent.inspector', run: async (bed) => {
    const agent = await bed.start(NODE, { before: ['--inspect-port=127.0.0.1:0'] });
    process.kill(agent.pid, 'SIGUSR1');
    await wait(500);
    return bed.pay(agent);
  } },
  { name: 'module added to node_modules', on: NODE, expected: 'agent.version_not_authorised', run: withFile(NODE, 'node_modules/evil.js', (file) => writeFileSync(file, ''), 'after') },
  { name: 'module without an ending', on: NODE, expected: 'agent.version_not_authorised', run: withFile(NODE, 'node_modules/evil', (file) => writeFileSync(file, ''), 'after') },
  { name: 'module that is a pipe', on: NODE, expected: 'agent.drift', run: withFile(NODE, 'evil.js', (file) => void execFileSync('mkfifo', [file]), 'after') },
  { name: 'module in the home of the user', on: NODE, expected: 'agent.env_risky', run: async (bed) => {
    const modules = join(homeOfUser(), '.node_modules');
    mkdirSync(join(modules, 'ari-evil'), { recursive: true });
    try {
      return await started(NODE, {})(bed);
    } finally {
      rmSync(modules, { recursive: true });
    }
  } },
];

const PYTHON_ATTACKS: Attack[] = [
  { name: 'PYTHONSTARTUP', on: PYTHON_AGENT, expected: 'agent.env_risky', run: started(PYTHON_AGENT, { env: { PYTHONSTARTUP: '/tmp/evil.py' } }) },
  { name: 'sitecustomize on PYTHONPATH', on: PYTHON_AGENT, expected: 'agent.env_risky', run: started(PYTHON_AGENT, { env: { PYTHONPATH: '/tmp' } }) },
  { name: 'usercustomize in the home of the user', on: PYTHON_AGENT, expected: 'agent.env_risky', run: async (bed) => {
    const site = join(homeOfUser(), '.local/lib/python3.99/site-packages');
    mkdirSync(site, { recursive: true });
    writeFileSync(join(site, 'usercustomize.py'), '');
    try {
      return await started(PYTHON_AGENT, {})(bed);
    } finally {
      rmSync(join(homeOfUser(), '.local/lib/python3.99'), { recursive: true });
    }
  } },
  { name: '.pth beside the agent', on: PYTHON_AGENT, expected: 'agent.version_not_authorised', run: withFile(PYTHON_AGENT, 'evil.pth', (file) => writeFileSync(file, 'import os\n'), 'after') },
  { name: 'remote debugging (PEP 768)', on: PYTHON_AGENT, expected: SETTLED, limit: 'it writes data; `ari run` turns it off', possible: () => PYTHON !== null && Number(/\d+\.(\d+)/.exec(execFileSync(PYTHON, ['--version'], { encoding: 'utf8' }))?.[1]) >= 14,
    run: async (bed) => {
      const mark = join(bed.stage.dir, 'remote'), script = `${mark}.py`;
      const seen = await between(PYTHON_AGENT, (_, agent) => {
        writeFileSync(script, `open(${JSON.stringify(mark)}, 'w').close()`);
        execFileSync(PYTHON ?? '', ['-c', `import sys; sys.remote_exec(${agent.pid}, ${JSON.stringify(script)})`]);
      })(bed);
      ran(mark);
      return seen;
    } },
];

const JVM_ATTACKS: Attack[] = [
  { name: '-agentlib', on: JVM, expected: 'agent.foreign_mapping', run: started(JVM, { before: ['-agentlib:jdwp=transport=dt_socket,server=y,suspend=n,address=127.0.0.1:0,quiet=y'] }) },
  { name: 'JAVA_TOOL_OPTIONS', on: JVM, expected: 'agent.env_risky', run: started(JVM, { env: { JAVA_TOOL_OPTIONS: '-Da=b' } }) },
  { name: 'agent loaded by attach', on: JVM, expected: 'agent.foreign_mapping', possible: () => program('jcmd') !== null && program('cc') !== null, run: between(JVM, (bed, agent) => {
    const library = join(bed.stage.dir, 'jvmti.so');
    execFileSync('cc', ['-shared', '-fPIC', '-x', 'c', '-o', library, '-'], { input: 'int Agent_OnAttach(void *vm, char *options, void *reserved) { return 0; }\n' });
    execFileSync('jcmd', [String(agent.pid), 'JVMTI.agent_load', library], { stdio: 'ignore' });
  }) },
];

const FILES: Attack[] = [
  { name: 'program file changed', on: NODE, expected: 'agent.version_not_authorised', run: withFile(NODE, 'node_modules/flowers/index.mjs', (file) => appendFileSync(file, '//'), 'after') },
  { name: 'program file changed and changed back', on: NODE, expected: 'agent.changed_since_start', run: withFile(NODE, 'node_modules/flowers/index.mjs', (file) => appendFileSync(file, '//'), 'before') },
  { name: 'prompt changed', on: NODE, expected: 'agent.version_not_authorised', run: withFile(NODE, 'prompt.md', (file) => writeFileSync(file, 'Buy gold.'), 'after') },
  { name: 'file removed', on: NODE, expected: 'agent.version_not_authorised', run: withFile(NODE, 'node_modules/flowers/package.json', (file) => rmSync(file), 'after') },
  { name: 'executable replaced on disk', on: NATIVE, expected: 'agent.version_not_authorised', run: async (bed) => {
    const file = join(bed.root(NATIVE), 'agent');
    copyFileSync(file, `${file}.old`);
    try {
      return await between(NATIVE, () => { writeFileSync(`${file}.new`, 'evil', { mode: 0o755 }); renameSync(`${file}.new`, file); })(bed);
    } finally {
      renameSync(`${file}.old`, file);
    }
  } },
  { name: 'folder hidden in a mount namespace', on: PYTHON_AGENT, expected: 'agent.version_not_authorised', possible: () => root, run: between(PYTHON_AGENT, word('namespace')) },
  { name: 'chroot to another tree', on: PYTHON_AGENT, expected: 'agent.version_not_authorised', possible: () => root, run: async (bed) => {
    const other = mkdtempSync(join(bed.stage.dir, 'other-'));
    return between(PYTHON_AGENT, word(`chroot ${other}`))(bed);
  } },
];

const PROCESSES: Attack[] = [
  { name: 'exec', on: PYTHON_AGENT, expected: 'peer.exec_changed', run: between(PYTHON_AGENT, renewed('exec')) },
  { name: 'exec of a file without a name (memfd)', on: PYTHON_AGENT, expected: 'peer.exec_changed', run: between(PYTHON_AGENT, renewed('memfd')) },
  { name: 'fork: the child speaks', on: PYTHON_AGENT, expected: 'peer.other_speaker', run: async (bed) => (await bed.start(PYTHON_AGENT)).ask(`fork ${bed.key()}`) },
  { name: 'double fork: an orphan speaks', on: PYTHON_AGENT, expected: 'peer.other_speaker', run: async (bed) => (await bed.start(PYTHON_AGENT)).ask(`double-fork ${bed.key()}`) },
  { name: 'connection handed to another process', on: PYTHON_AGENT, expected: 'peer.other_speaker', run: async (bed) => (await bed.start(PYTHON_AGENT)).ask(`pass ${bed.key()}`) },
  { name: 'started from a file without a name (memfd)', on: PYTHON_AGENT, expected: 'agent.exe_replaced', run: async (bed) => {
    const agent = new Process('python', PYTHON ?? '', ['-c', `import os, sys\nfd = os.memfd_create('x', 0)\nos.write(fd, open(sys.executable, 'rb').read())\nos.execv(f'/proc/self/fd/{fd}', [sys.executable] + sys.argv[1:])`, join(bed.root(PYTHON_AGENT), 'agent.py'), bed.stage.socket]);
    return bed.pay(await bed.ready(agent));
  } },
  { name: 'another program of the same user', on: PYTHON_AGENT, expected: 'peer.unknown', run: async (bed) => {
    const other = join(bed.stage.dir, 'other.py');
    copyFileSync(join(bed.root(PYTHON_AGENT), 'agent.py'), other);
    return bed.pay(await bed.ready(new Process('other', PYTHON ?? '', [other, bed.stage.socket])));
  } },
];

/** Runs its own code under the command line of the agent: what is in argv is the process's own memory. */
const forged = (kind: Kind) => async (bed: Bed): Promise<string> => {
  const script = join(bed.root(kind), 'agent.py');
  const source = readFileSync(script, 'utf8');
  // The arguments as the agent has them, at the place where the kernel looks for them.
  const forge = `import ctypes, sys\nwanted = b'\\0'.join([sys.executable.encode(), ${JSON.stringify(script)}.encode(), b''])\nat = int(open('/proc/self/stat').read().rsplit(')', 1)[1].split()[45])\nctypes.memmove(at, wanted, len(wanted))\nsys.argv = ['${script}', ${JSON.stringify(bed.stage.socket)}]\n`;
  const agent = new Process('forger', PYTHON ?? '', ['-c', `${forge}${source.replace('import os\n', 'import os # evil\n')}`]);
  return bed.pay(await bed.ready(agent));
};

const POSING: Attack[] = [
  { name: 'forged command line, attach mode', on: PYTHON_AGENT, expected: SETTLED, limit: 'same user, same interpreter: give each agent a user, or have it launched', run: forged(PYTHON_AGENT) },
  { name: 'forged command line, launched agents only', on: LAUNCHED, expected: 'peer.unknown', run: forged(LAUNCHED) },
];

export const ATTACKS: readonly Attack[] = [...LOADER, ...MEMORY, ...NODE_ATTACKS, ...PYTHON_ATTACKS, ...JVM_ATTACKS, ...FILES, ...PROCESSES, ...POSING, ...TRANSIENT];
