/**
 * Performs every attack on a live sidecar with real agents and prints what was expected and seen. `npm run attack`, or with part of a name.
 * Exit status 1 when one was missed, or a clean agent refused.
 */
import { agentId, Bed, JVM, type Kind, LAUNCHED, NATIVE, NODE, PYTHON_AGENT, SHELL } from './bed.js';
import { ATTACKS } from './attacks.js';
import type { Attack } from './ways.js';

interface Result { readonly name: string; readonly agent: string; readonly expected: string; readonly seen: string; readonly mark: 'ok' | 'MISSED' | 'limit' | 'skipped'; readonly note: string }

const KINDS = [NODE, PYTHON_AGENT, LAUNCHED, NATIVE, JVM, SHELL];
const clean = (kind: Kind): Attack => ({ name: `clean ${kind.name} agent${kind.launchOnly ? ', launched' : ''}`, on: kind, expected: 'settled', run: async (bed) => bed.pay(await (kind.launchOnly ? bed.launch(kind) : bed.start(kind))) });

async function perform(attack: Attack, bed: Bed): Promise<Result> {
  const { name, on, expected, limit, possible, run } = attack;
  const about = { name, agent: on.name, expected };
  if (!bed.kinds.includes(on) || possible?.() === false) return { ...about, seen: '-', mark: 'skipped', note: 'not possible on this machine' };
  const seen = await run(bed).catch((error: Error) => error.message.split('\n').slice(0, 6).join(' '));
  await bed.endAgents();
  const mark = seen !== expected ? 'MISSED' : limit === undefined ? 'ok' : 'limit';
  return { ...about, seen, mark, note: limit ?? '' };
}

const line = (cells: readonly string[]): string => `${cells.map((cell, at) => cell.padEnd([44, 10, 31, 31, 8][at] ?? 0)).join(' ').trimEnd()}\n`;
const print = ({ name, agent, expected, seen, mark, note }: Result): void => void process.stdout.write(line([name, agent, expected, seen, mark, note]));

const wanted = process.argv[2] ?? '';
const bed = await Bed.open(KINDS);
try {
  process.stdout.write(line(['attack', 'agent', 'expected', 'seen', '']));
  const results: Result[] = [];
  for (const attack of [...bed.kinds.map(clean), ...ATTACKS].filter(({ name }) => name.includes(wanted))) {
    const result = await perform(attack, bed);
    print(result);
    results.push(result);
  }
  const count = (mark: Result['mark']): number => results.filter((result) => result.mark === mark).length;
  process.stdout.write(`\n${count('ok')} as expected, ${count('limit')} known limits (SECURITY.md), ${count('skipped')} skipped, ${count('MISSED')} missed\nagents: ${bed.kinds.map(agentId).join(' ')}\n`);
  process.exitCode = count('MISSED') === 0 ? 0 : 1;
} finally {
  await bed.close();
}
