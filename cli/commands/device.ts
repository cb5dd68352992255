import type { Command } from 'commander';
import type { Json } from '../../src/base/json.js';
import { bindUser } from '../actions.js';
import { paint, show, table, word } from '../output.js';
import { type DeviceRecord, inWords, placeOf } from '../records.js';
import { apiFor, type AsEither, type AsUser, calling, namedUser, userOf } from './options.js';
import { orders } from './orders.js';

type Row = Record<string, Json>;
const stateOf = ({ state }: Row): string => paint(state === 'enrolled' ? 'green' : 'red', word(state));
const tpm = ({ simulated }: Row): string => (simulated === true ? 'simulated TPM' : 'TPM');

export const device = (ari: Command): void => {
  const group = ari.command('device').summary("a user's devices: see, share, stop them").description('The devices that a user enrolled or was let use. Each has its own mandates; carriers are shared by all devices of a user.');
  calling(group.command('list'), 'either')
    .summary('the devices of a user')
    .description('Lists the devices that a user enrolled or was bound to, with their state.')
    .option('--json', 'print one JSON object')
    .action(async (options: AsEither) => {
      const view = await apiFor(options).get(`/v1/trust/devices?user_id=${encodeURIComponent(namedUser(options))}`) as { devices: Row[] };
      show(view as unknown as Json, options, () => table(view.devices.map((row) => [word(row['device_id']), `${stateOf(row)}  ${tpm(row)}`])) || 'none');
    });
  calling(group.command('show <DEVICE>'), 'either')
    .summary('a device and the agents on it')
    .description('Shows a device, and which agent versions a mandate can name on it.')
    .option('--json', 'print one JSON object')
    .action(async (deviceId: string, options: AsEither) => {
      const [api, id] = [apiFor(options), encodeURIComponent(deviceId)];
      const [view, { agents }] = await Promise.all([api.get(`/v1/trust/devices/${id}`), api.get(`/v1/delegation/devices/${id}/agents`)]) as [Row, { agents: Row[] }];
      show({ ...view, agents }, options, () => table([['device', `${deviceId}  ${stateOf(view)}  ${tpm(view)}`], ...agents.map((row): [string, string] => ['agent', `${word(row['agent_id'])} ${word(row['version'])}`])]));
    });
  calling(group.command('history <DEVICE>'), 'either')
    .summary('what ran on a device, when, and what was not as published')
    .description("Reads the device's measurement log since it enrolled, as its TPM has certified it to the verifier: each boot, each agent's start and end by\nthe device's clock, and what was changed in or injected into it. A device shows it whenever it connects or pays.")
    .option('--limit <N>', 'the latest N records, 1000 at most', '1000')
    .option('--before <PLACE>', 'those before this place, which a full page names')
    .option('--json', 'print one JSON object')
    .action(async (deviceId: string, options: AsEither & { limit: string; before?: string }) => {
      const query = new URLSearchParams({ limit: options.limit, ...(options.before === undefined ? {} : { before: options.before }) });
      const view = await apiFor(options).get(`/v1/trust/devices/${encodeURIComponent(deviceId)}/records?${query.toString()}`) as unknown as { records: DeviceRecord[] };
      const earlier = view.records.length < Number(options.limit) ? '' : `earlier: --before ${placeOf(view.records.at(-1))}\n`;
      show(view as unknown as Json, options, () => (view.records.length === 0 ? 'no record' : `${earlier}${inWords(view.records.toReversed())}`));
    });
  calling(group.command('bind <DEVICE>'), 'user')
    .summary('let another user use a device of yours')
    .description('Signs, as the user who enrolled the device, that whoever gave you CODE (from her `ari user code`) may sign mandates for it too.\nShe sees and spends only what is hers.')
    .requiredOption('--code <CODE>', "the other user's one-time code")
    .option('--json', 'print one JSON object')
    .action(async (deviceId: string, options: AsUser & { code: string }) => {
      const bound = await bindUser(apiFor(options), userOf(options), deviceId, options.code);
      show({ device_id: deviceId, user_id: bound }, options, () => `${bound} may sign mandates for ${deviceId}`);
    });
  orders(group, 'device', { freeze: 'let a device pay nothing for now', thaw: 'let a frozen device go on', revoke: 'end a device for good' });
};
