/** Two more kinds of agents, besides those that are attacked. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { type Kind, NATIVE, PYTHON, PYTHON_AGENT } from '../attack/bed.js';

/** A virtual environment with a package in it, compiled, as a wheel is installed. */
export const VENV: Kind = {
  name: 'venv', runtime: 'python', entry: 'agent.py', interpreter: PYTHON, command: (dir) => [join(dir, 'venv/bin/python3'), join(dir, 'agent.py')],
  make: async (dir) => {
    if (PYTHON === null || !await PYTHON_AGENT.make(dir)) return false;
    try {
      execFileSync(PYTHON, ['-m', 'venv', '--without-pip', join(dir, 'venv')], { stdio: 'ignore' });
    } catch {
      return false;
    }
    const site = execFileSync(join(dir, 'venv/bin/python3'), ['-c', 'import site; print(site.getsitepackages()[0])'], { encoding: 'utf8' }).trim();
    mkdirSync(join(site, 'flowers'));
    writeFileSync(join(site, 'flowers/__init__.py'), 'PRICE = 100\n');
    copyFileSync(join(dir, 'agent.py'), join(dir, 'shop.py'));
    writeFileSync(join(dir, 'agent.py'), 'import flowers\nassert flowers.PRICE == 100\nimport shop\n');
    execFileSync(PYTHON, ['-m', 'compileall', '-q', '--invalidation-mode', 'checked-hash', dir]);
    return true;
  },
};

/** A program without libraries in a root of its own: the folder above its own. */
export const CONTAINED: Kind = {
  name: 'contained', runtime: 'native', entry: 'agent', interpreter: null, command: (dir) => ['/usr/sbin/chroot', join(dir, '..'), '/contained/agent'],
  make: async (dir) => {
    if (process.getuid?.() !== 0 || !await NATIVE.make(dir)) return false;
    execFileSync('cc', ['-O2', '-static', '-o', join(dir, 'agent'), join(import.meta.dirname, '../attack/agents/native/agent.c')]);
    return true;
  },
  seen: (dir, path) => `/${relative(dir, path)}`,
};
