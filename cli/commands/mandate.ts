import type { Command } from 'commander';
import { LEVELS, type Level } from '../../src/names.js';
import { fault } from '../../src/base/fault.js';
import type { Json } from '../../src/base/json.js';
import { createMandate, order } from '../actions.js';
import { paint, show, table, word } from '../output.js';
import { adminApi, apiOption, caOption, duration, keyOption, list, minorUnits, type Remote, tokenOption, userOf, userOption } from './options.js';

interface CreateOptions extends Remote { user: string; key: string; device: string; agent: string; carrier: string; level: string; summary: string; max: string; payee: string[]; task?: string; payments?: string; valid: string; json?: boolean }

function levelOf(word: string): Level {
  const level = LEVELS.find((known) => known === word);
  if (level === undefined) throw fault('usage.wrong', { what: `${word} is no level; choose ${LEVELS.join(', ')}` });
  return level;
}

export const mandate = (ari: Command): void => {
  const group = ari.command('mandate').summary("the user's signed authority for one agent version").description('Creates, lists and revokes mandates: what a user lets exactly one agent version on one device do with one carrier.');
  group.command('create')
    .summary('sign a mandate')
    .description('Signs a mandate for the agent version that the device runs now and registers it at the verifier, which tells the device.')
    .addOption(apiOption()).addOption(tokenOption()).addOption(caOption()).addOption(userOption()).addOption(keyOption("the user's"))
    .requiredOption('--device <ID>', 'the device (dev_...)')
    .requiredOption('--agent <ID>', 'the agent')
    .requiredOption('--carrier <ID>', 'the carrier that pays (crr_...)')
    .requiredOption('--level <LEVEL>', 'L0 the user confirms everything ... L3 one task within bounds, L4 within presets, L5 autonomous')
    .requiredOption('--summary <TEXT>', 'what it is for, in your words')
    .requiredOption('--max <N>', 'most for one payment, minor units')
    .option('--payee <ID>', 'a payee it may pay (repeatable; default: those of the carrier)', list, [])
    .option('--task <ID>', 'the one task of an L3 mandate')
    .option('--payments <N>', 'how many payments it allows')
    .option('--valid <DURATION>', 'how long it lives', '1d')
    .option('--json', 'print one JSON object')
    .action(async (options: CreateOptions) => {
      const mandateId = await createMandate(adminApi(options), userOf(options), {
        deviceId: options.device, agentId: options.agent, carrierId: options.carrier, level: levelOf(options.level), summary: options.summary, maxAmount: minorUnits(options.max),
        payees: options.payee, taskId: options.task ?? null, maxPayments: options.payments === undefined ? null : Number(minorUnits(options.payments)), lifeS: duration(options.valid),
      });
      show({ mandate_id: mandateId }, options, () => mandateId);
    });
  group.command('show')
    .summary('the mandates of a device')
    .description('Lists the mandates of a device with their state and use.')
    .addOption(apiOption()).addOption(tokenOption()).addOption(caOption())
    .requiredOption('--device <ID>', 'the device (dev_...)')
    .option('--json', 'print one JSON object')
    .action(async (options: Remote & { device: string; json?: boolean }) => {
      const view = await adminApi(options).get(`/v1/delegation/mandates?device_id=${encodeURIComponent(options.device)}`) as { mandates: Record<string, Json>[] };
      show(view as unknown as Json, options, () => table(view.mandates.map((row) => [word(row['mandate_id']), `${row['state'] === 'valid' ? paint('green', 'valid') : paint('red', word(row['state']))}  ${word(row['level'])}  ${word(row['agent_id'])}  used ${word(row['uses'])}`])) || 'none');
    });
  group.command('revoke <MANDATE>')
    .summary('end a mandate')
    .description("Signs the order with the user's key. Nothing is permitted under the mandate once it is answered.")
    .addOption(apiOption()).addOption(caOption()).addOption(userOption()).addOption(keyOption("the user's"))
    .option('--json', 'print one JSON object')
    .action(async (mandateId: string, options: Remote & { user: string; key: string; json?: boolean }) => {
      const state = await order(adminApi(options), userOf(options), 'revoke', mandateId);
      show({ mandate_id: mandateId, state }, options, () => `${mandateId} is ${state}`);
    });
};
