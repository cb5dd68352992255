import type { Command } from 'commander';
import { LEVELS, type Level } from '../../src/names.js';
import { fault } from '../../src/base/fault.js';
import type { Json } from '../../src/base/json.js';
import { mandateLimits } from '../../src/law/words.js';
import { createMandate, order } from '../actions.js';
import { heldMandate, narrowMandate } from '../mandates.js';
import { paint, show, table, word } from '../output.js';
import { apiFor, type AsEither, type AsUser, calling, duration, list, minorUnits, userOf } from './options.js';

interface CreateOptions extends AsUser { device: string; agent: string; carrier: string; level: string; summary: string; max: string; payee: string[]; task?: string; payments?: string; valid: string }

function levelOf(word: string): Level {
  const level = LEVELS.find((known) => known === word);
  if (level === undefined) throw fault('usage.wrong', { what: `${word} is no level; choose ${LEVELS.join(', ')}` });
  return level;
}

function showing(group: Command): void {
  calling(group.command('show [MANDATE]'), 'either')
    .summary('a mandate in plain words, or those of a device')
    .description("Shows what a mandate allows: the user's own words, and beside them every limit that is checked. With --device it lists the mandates of a device.")
    .option('--device <ID>', 'the device (dev_...)')
    .option('--json', 'print one JSON object')
    .action(async (mandateId: string | undefined, options: AsEither & { device?: string }) => {
      if ((mandateId === undefined) === (options.device === undefined)) throw fault('usage.wrong', { what: 'name a mandate, or a device with --device' });
      if (mandateId !== undefined) return showOne(mandateId, options);
      const view = await apiFor(options).get(`/v1/delegation/mandates?device_id=${encodeURIComponent(options.device ?? '')}`) as { mandates: Record<string, Json>[] };
      show(view as unknown as Json, options, () => table(view.mandates.map((row) => [word(row['mandate_id']), `${stateOf(row)}  ${word(row['level'])}  ${word(row['agent_id'])}  used ${word(row['uses'])}`])) || 'none');
    });
}

const stateOf = ({ state, manifest_revoked: version }: Record<string, Json>): string => paint(state === 'valid' ? 'green' : 'red', `${word(state)}${version === true ? ' (its agent version was revoked)' : ''}`);

async function showOne(mandateId: string, options: AsEither): Promise<void> {
  const { view, opened } = await heldMandate(apiFor(options), mandateId);
  const { sub, task: { summary } } = opened.mandate.value;
  const limits = mandateLimits(opened);
  show({ ...view, summary, limits }, options, () =>
    [`${mandateId} of ${sub} is ${stateOf(view)}, used ${word(view['uses'])}`, '', `“${summary}”`, 'These are the words of the user. What is checked:', ...limits.map((limit) => `- ${limit}`)].join('\n'));
}

interface NarrowOptions extends AsUser { max?: string; payee: string[]; payments?: string; level?: string; valid?: string; summary?: string }

function narrowing(group: Command): void {
  calling(group.command('narrow <MANDATE>'), 'user')
    .summary('replace a mandate by a tighter one')
    .description('Ends a mandate and signs a tighter one for the same agent version, key, carrier and task. Nothing in it may be wider; what is not said stays as it was.')
    .option('--max <N>', 'most for one payment, minor units')
    .option('--payee <ID>', 'a payee it may still pay (repeatable)', list, [])
    .option('--payments <N>', 'how many payments it still allows')
    .option('--level <LEVEL>', 'a lower level')
    .option('--valid <DURATION>', 'how long from now on')
    .option('--summary <TEXT>', 'what it is for, in your words')
    .option('--json', 'print one JSON object')
    .action(async (mandateId: string, options: NarrowOptions) => {
      const next = await narrowMandate(apiFor(options), userOf(options), mandateId, {
        maxAmount: options.max === undefined ? undefined : minorUnits(options.max), payees: options.payee.length === 0 ? undefined : options.payee,
        maxPayments: options.payments === undefined ? undefined : Number(minorUnits(options.payments)), level: options.level === undefined ? undefined : levelOf(options.level),
        exp: options.valid === undefined ? undefined : Math.floor(Date.now() / 1000) + duration(options.valid), summary: options.summary,
      });
      show({ mandate_id: next, replaces: mandateId }, options, () => next);
    });
}

export const mandate = (ari: Command): void => {
  const group = ari.command('mandate').summary("the user's signed authority for one agent version").description('Creates, shows, narrows and revokes mandates: what a user lets exactly one agent version on one device do with one carrier.');
  calling(group.command('create'), 'user')
    .summary('sign a mandate')
    .description('Signs a mandate for the agent version that the device runs now and registers it at the verifier, which tells the device.')
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
      const mandateId = await createMandate(apiFor(options), userOf(options), {
        deviceId: options.device, agentId: options.agent, carrierId: options.carrier, level: levelOf(options.level), summary: options.summary, maxAmount: minorUnits(options.max),
        payees: options.payee, taskId: options.task ?? null, maxPayments: options.payments === undefined ? null : Number(minorUnits(options.payments)), lifeS: duration(options.valid),
      });
      show({ mandate_id: mandateId }, options, () => mandateId);
    });
  showing(group);
  narrowing(group);
  calling(group.command('revoke <MANDATE>'), 'user')
    .summary('end a mandate')
    .description("Signs the order with the user's key. Nothing is permitted under the mandate once it is answered.")
    .option('--json', 'print one JSON object')
    .action(async (mandateId: string, options: AsUser) => {
      const state = await order(apiFor(options), userOf(options), 'revoke', mandateId);
      show({ mandate_id: mandateId, state }, options, () => `${mandateId} is ${state}`);
    });
};
