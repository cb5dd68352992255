/** What attacks have in common: an agent that paid clean before, a process that does something to it, an effect that is shown. */
import { existsSync, rmSync } from 'node:fs';
import { setTimeout as wait } from 'node:timers/promises';
import { Process } from '../../cli/demo/processes.js';
import { type Bed, type Kind, PYTHON } from './bed.js';

export interface Attack {
  readonly name: string;
  readonly on: Kind;
  /** Code of the refusal, or the state of a payment that must go through. */
  readonly expected: string;
  /** Why it is not seen, where that is what is expected: a sentence of SECURITY.md. */
  readonly limit?: string;
  /** False: this machine lacks what it takes. */
  readonly possible?: () => boolean;
  /** @returns what the agent was answered */
  readonly run: (bed: Bed) => Promise<string>;
}

export const root = process.getuid?.() === 0;
export const SETTLED = 'settled';

/** Pays clean, lets the attack happen, pays again. */
export const between = (on: Kind, attack: (bed: Bed, agent: Process) => unknown, options: Parameters<Bed['start']>[1] = {}) => async (bed: Bed): Promise<string> => {
  const agent = await bed.start(on, options);
  const first = await bed.pay(agent);
  if (first !== SETTLED) return `before the attack: ${first}`;
  await wait(100); // a change within a few hundredths of a second of the start is not told from one before it
  await attack(bed, agent);
  return bed.pay(agent);
};
export const started = (on: Kind, options: Parameters<Bed['start']>[1]) => async (bed: Bed): Promise<string> => bed.pay(await bed.start(on, options));
export const word = (text: string) => (bed: Bed, agent: Process): Promise<string> => agent.ask(text.replace('KEY', bed.key()));
/** A Python program that does something to the process of the agent, says so, and holds it until it is ended. */
export async function against(agent: Process, source: string): Promise<Process> {
  const attacker = new Process('attacker', PYTHON ?? '', ['-c', `import ctypes, os, re, sys\npid = ${agent.pid}\nlibc = ctypes.CDLL(None, use_errno=True)\n${source}\nprint('done', flush=True)\nsys.stdin.read()`]);
  await attacker.line();
  return attacker;
}

/** An attack that is not seen must be shown to have had its effect. */
export async function mustAnswer(agent: Process, asked: string, wanted: string): Promise<void> {
  const answered = await agent.ask(asked);
  if (answered !== wanted) throw new Error(`the attack had no effect: ${asked} is ${answered}`);
}

/** Injected code leaves this file: that it ran is no matter of belief. */
export function ran(mark: string): void {
  if (!existsSync(mark)) throw new Error('the attack had no effect: its code did not run');
  rmSync(mark);
}
