import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { ARI, Process } from '../../cli/demo/processes.js';
import { agentId, Bed, LAUNCHED } from '../attack/bed.js';

describe('ari run', () => {
  let bed: Bed;
  let running: Process | undefined;
  beforeAll(async () => { bed = await Bed.open([LAUNCHED]); }, 60_000);
  afterEach(async () => {
    await running?.stop('SIGKILL');
    running = undefined;
  });
  afterAll(() => bed.close());

  const run = (...options: string[]): Process => {
    running = new Process('ari run', process.execPath, [ARI, 'run', '-c', bed.stage.sidecarConfig, ...options, '--', agentId(LAUNCHED), bed.stage.socket]);
    return running;
  };
  const agentOf = ({ pid }: Process): number => Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').at(-1));

  it('starts an agent that pays, and ends with it when it is told to', async () => {
    const ari = run();
    expect(await ari.line()).toBe('ready');
    expect(await bed.pay(ari)).toBe('settled');
    const agent = agentOf(ari);
    expect(readFileSync(`/proc/${agent}/cmdline`, 'utf8').split('\0')[1]).toBe(join(bed.root(LAUNCHED), 'agent.py'));
    process.kill(ari.pid, 'SIGTERM');
    await expect(ari.line()).rejects.toThrow();
    expect(() => process.kill(agent, 0)).toThrow('ESRCH');
    running = undefined;
  });

  it('starts it again, measured anew, and not when its files were changed meanwhile', async () => {
    const ari = run('--restart');
    await ari.line();
    process.kill(agentOf(ari), 'SIGKILL');
    expect(await ari.line()).toBe('ready');
    expect(await bed.pay(ari)).toBe('settled');
    const file = join(bed.root(LAUNCHED), 'evil.py');
    writeFileSync(file, '');
    process.kill(agentOf(ari), 'SIGKILL');
    await expect(ari.line()).rejects.toThrow(/agent\.version_not_authorised.*evil\.py/s);
    running = undefined;
  });

  it('says which agents there are not', async () => {
    const ari = new Process('ari run', process.execPath, [ARI, 'run', '-c', bed.stage.sidecarConfig, 'com.example.nobody']);
    await expect(ari.line()).rejects.toThrow(/usage\.wrong.*com\.example\.nobody/s);
  });
});
