/** The `ari` command. One file per sub-command; exit 0 done, 1 refused or check failed, 2 usage, 3 cannot reach, 4 device trouble. */
import { Command, CommanderError, Help, type Option } from 'commander';
import { AriError } from '../client/error.js';
import { asFault, type Fault, fault, faultTold } from '../src/base/fault.js';
import { isCode } from '../src/codes.js';
import { VERSION } from '../src/version.js';
import { commands } from './commands/index.js';
import { colourful, paint } from './output.js';

const EXIT: [prefix: string, status: number][] = [['usage.', 2], ['config.', 2], ['link.', 3], ['tpm.', 4]];

/** Exit status of a fault. */
export const exitOf = (fault: Fault): number => EXIT.find(([prefix]) => fault.code.startsWith(prefix))?.[1] ?? 1;

/** Placeholders in capitals, without brackets, as in a manual page. */
const bare = (term: string): string => term.replace(/[<>]/g, '');
const plain = new Help();
const HELP = {
  optionTerm: (option: Option): string => bare(plain.optionTerm(option)),
  subcommandTerm: (command: Command): string => bare(plain.subcommandTerm(command)),
  optionDescription: (option: Option): string => plain.optionDescription(option).replace(/ ?\(default: \[\]\)/, ''),
  commandUsage: (command: Command): string => bare(plain.commandUsage(command)),
};

async function program(name: string | undefined): Promise<Command> {
  const ari = new Command('ari')
    .description('Proof, at the moment of payment, that an AI agent is the one its user authorised\nand runs unmodified on a trusted device.')
    .version(VERSION, '-V, --version', 'print the version')
    .configureOutput({ outputError: () => undefined }) // complain() says it, as it says every other fault
    .enablePositionalOptions()
    .exitOverride()
    .configureHelp(HELP)
    .addHelpText('after', '\nExit status:\n  0 done   1 refused, or a check failed   2 usage   3 cannot reach the other side   4 device trouble\n\nEvery command that prints takes --json. Documentation: README.md and docs/.');
  for (const register of await commands(name)) register(ari);
  return ari;
}

/** Runs one command line. @returns the exit status */
export async function main(argv: string[]): Promise<number> {
  try {
    await (await program(argv[0])).parseAsync(argv, { from: 'user' });
    return Number(process.exitCode ?? 0);
  } catch (error) {
    if (error instanceof CommanderError && error.exitCode === 0) return 0;
    if (error instanceof CommanderError && error.message === '(outputHelp)') return 2; // a group without its command: its help was printed
    return complain(faultOf(error), argv.includes('--json'));
  }
}

function faultOf(error: unknown): Fault {
  if (error instanceof CommanderError) return fault('usage.wrong', { what: error.message.replace(/^error: /, '') });
  return error instanceof AriError && isCode(error.code) ? faultTold(error.code, error.message) : asFault(error);
}

function complain(fault: Fault, json: boolean): number {
  if (json) process.stdout.write(`${JSON.stringify({ error: fault.problem() })}\n`);
  else process.stderr.write(`${paint('red', `ari: ${fault.code}`, colourful(process.stderr))}: ${fault.message}\n  ${fault.fix}.\n`);
  if (fault.code === 'bug.internal') process.stderr.write(`${fault.cause instanceof Error ? fault.cause.stack : String(fault.cause)}\n`);
  return exitOf(fault);
}
