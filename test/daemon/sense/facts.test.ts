import { execFileSync } from 'node:child_process';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseCommandLine } from '../../../daemon/sense/command.js';
import { parseSockets } from '../../../daemon/sense/inspector.js';
import { learnMappings, mappingsOf } from '../../../daemon/sense/learn.js';
import { parseMaps } from '../../../daemon/sense/maps.js';
import { startMsOf, unitOf } from '../../../daemon/sense/status.js';
import { statField } from '../../../daemon/door/peer.js';
import { hashTree } from '../../../daemon/sense/build.js';
import { sha256 } from '../../../src/base/bytes.js';
import { NODE, PYTHON, removeDir, tempDir, writeTree } from '../support/agents.js';

describe('a line of maps', () => {
  const only = (line: string) => parseMaps(`${line}\n`)[0];

  it('says range, rights, inode and path', () => {
    expect(only('00400000-00401000 r-xp 00000000 fe:00 260689                             /usr/bin/node')).toEqual({ range: '00400000-00401000', executable: true, device: 'fe:00', inode: '260689', path: '/usr/bin/node', deleted: false });
  });

  it('says that a file is deleted, and believes no name that only ends like it', () => {
    expect(only('00400000-00401000 r-xp 00000000 fe:00 7    /tmp/a b (deleted)')).toMatchObject({ path: '/tmp/a b', deleted: true });
    expect(only('00400000-00401000 rwxp 00000000 00:00 0    [anon:x (deleted)]')).toMatchObject({ deleted: false, path: '[anon:x (deleted)]' });
  });

  it('keeps a line break that stands in a file name', () => {
    expect(only('00400000-00401000 r-xp 00000000 fe:00 7    /tmp/a\\012b')).toMatchObject({ path: '/tmp/a\nb' });
  });

  it('is refused when it cannot be read', () => {
    expect(() => parseMaps('no line of maps')).toThrow();
  });
});

describe('a command line', () => {
  it.each([
    ['node\0agent.js\0socket\0', [], 'agent.js'],
    ['node\0--inspect=0\0-r\0evil.js\0agent.js\0', ['--inspect', '-r'], 'evil.js'],
    ['java\0-javaagent:evil.jar\0-jar\0agent.jar\0', ['-javaagent', '-jar'], 'agent.jar'],
    ['node\0-e\0code\0/agent.js\0', ['-e'], 'code'],
    ['a title that the process gave itself', [], null],
    ['', [], null],
  ])('%j', (raw, options, program) => {
    expect(parseCommandLine(raw)).toEqual({ options, program });
  });
});

describe('the table of TCP sockets', () => {
  const table = (...rows: string[]): string => ['  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode', ...rows].join('\n');

  it('gives every socket, IPv4 and IPv6, with the loopback for every address', () => {
    expect(parseSockets(table(
      '   0: 0100007F:240D 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1',
      '   1: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4712 1',
      '   2: 0100007F:9999 0100007F:240D 01 00000000:00000000 00:00000000 00000000     0        0 4713 1',
      '   3: 00000000000000000000000001000000:240E 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4714 1',
    ))).toEqual([
      { inode: '4711', host: '127.0.0.1', port: 9229, listening: true }, { inode: '4712', host: '127.0.0.1', port: 80, listening: true },
      { inode: '4713', host: '127.0.0.1', port: 0x9999, listening: false }, { inode: '4714', host: '0000:0000:0000:0000:0000:0000:0000:0001', port: 9230, listening: true },
    ]);
  });
});

describe('the unit of a process', () => {
  it.each([
    ['0::/system.slice/shopper.service\n', 'shopper.service'],
    ['0::/user.slice/user-1000.slice/user@1000.service/app.slice/agent.scope\n', 'user@1000.service/agent.scope'],
    ['0::/user.slice/user-1000.slice/user@1000.service/app.slice/shopper.service\n', 'user@1000.service/shopper.service'],
    ['0::/system.slice/docker-1a2b.scope/system.slice/shopper.service\n', 'docker-1a2b.scope/shopper.service'],
    ['12:cpu:/x\n1:name=systemd:/system.slice/old.service\n0::/\n', 'old.service'],
    ['0::/\n', null],
  ])('%j', (cgroup, unit) => {
    expect(unitOf(cgroup)).toBe(unit);
  });
});

describe('a tree of files', () => {
  let dir: string;
  beforeAll(() => {
    dir = tempDir();
    writeTree(join(dir, 'agent'), { 'b.js': 'b', 'a/c.js': 'c', 'a-b': '' });
  });
  afterAll(() => removeDir(dir));

  it('is hashed file by file, sorted by path', async () => {
    expect(await hashTree(join(dir, 'agent'))).toEqual([{ path: 'a-b', sha256: sha256('') }, { path: 'a/c.js', sha256: sha256('c') }, { path: 'b.js', sha256: sha256('b') }]);
  });

  it('holds links to its own files, and none that leads out of it', async () => {
    symlinkSync('b.js', join(dir, 'agent/link.js'));
    symlinkSync('a', join(dir, 'agent/folder'));
    expect((await hashTree(join(dir, 'agent'))).map(({ path }) => path)).toEqual(['a-b', 'a/c.js', 'b.js', 'link.js']);
    mkdirSync(join(dir, 'outside'));
    symlinkSync('../outside', join(dir, 'agent/out'));
    await expect(hashTree(join(dir, 'agent'))).rejects.toMatchObject({ code: 'usage.wrong' });
  });
});

describe('what an interpreter maps', () => {
  it.each([[NODE, 'node'], [PYTHON, 'python'], ['/bin/bash', 'shell']] as const)('is learnt from a short run of %s', async (interpreter, runtime) => {
    const learnt = await learnMappings(interpreter, runtime);
    const paths = learnt.map(({ path }) => path);
    expect(paths).toEqual(paths.toSorted());
    expect(paths.some((path) => path.endsWith('/libc.so.6'))).toBe(true);
    if (runtime !== 'shell') expect(paths).toContain(interpreter);
  });

  it('is refused for what is no such interpreter', async () => {
    await expect(learnMappings('/bin/false', 'node')).rejects.toMatchObject({ code: 'usage.wrong' });
    await expect(learnMappings('/no/such/file', 'node')).rejects.toMatchObject({ code: 'usage.wrong' });
    await expect(learnMappings(NODE, 'native')).rejects.toMatchObject({ code: 'usage.wrong' });
    await expect(mappingsOf(2 ** 22 + 1)).rejects.toMatchObject({ code: 'usage.wrong' });
  });
});

describe('when a process began', () => {
  const ticks = (): string => statField('/proc/self', 22);
  const began = (): number => Date.now() - process.uptime() * 1000;

  it('is told by the clock of the kernel', () => {
    expect(Math.abs(startMsOf(ticks()) - began())).toBeLessThan(1000);
  });

  it.skipIf(process.getuid?.() !== 0)('is told right where /proc/uptime is that of a container', () => {
    const dir = tempDir();
    const fake = join(dir, 'uptime'), status = join(import.meta.dirname, '../../../dist/daemon/sense/status.js');
    writeFileSync(fake, '5.00 5.00\n');
    const program = `import(${JSON.stringify(status)}).then(({ startMsOf }) => console.log(startMsOf('${ticks()}')))`;
    const said = execFileSync('unshare', ['--mount', '/bin/sh', '-c', 'mount --bind "$0" /proc/uptime && exec "$1" -e "$2"', fake, process.execPath, program], { encoding: 'utf8' });
    removeDir(dir);
    expect(Math.abs(Number(said) - began())).toBeLessThan(1000);
  });
});
