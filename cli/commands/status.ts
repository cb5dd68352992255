import type { Command } from 'commander';
import { statusView } from '../../src/agentapi.js';
import { encode } from '../../src/base/shape.js';
import { format } from '../../src/money.js';
import { AriClient } from '../../client/index.js';
import { paint, show, table } from '../output.js';
import { socketOption } from './options.js';

export const status = (ari: Command): void => {
  ari.command('status')
    .summary('what the sidecar can prove now, and for whom')
    .description('Asks the running sidecar for its tier and why it is no higher, its device, its verifier, its agents with their payment keys, and what they may still pay without network.')
    .addOption(socketOption())
    .option('--json', 'print one JSON object')
    .action(async (options: { socket: string; json?: boolean }) => {
      const view = await new AriClient({ socket: options.socket }).status();
      show(encode(statusView, view), options, () => [
        table([
          ['tier', `${paint('bold', view.tier)}${view.reason ? `  (${view.reason})` : ''}`],
          ['device', view.deviceId ?? 'not enrolled'],
          ['verifier', `${view.verifier.url}  ${view.verifier.connected ? paint('green', 'connected') : paint('red', 'not connected')}`],
          ['tpm', `${view.tpm.channel}  ${view.tpm.state}`],
          ...view.agents.flatMap((agent): [string, string][] => [
            ['agent', `${agent.agentId} ${agent.version}  ${agent.revoked ? paint('red', 'this version was revoked') : `${agent.mandates} mandate(s)`}`],
            ...(agent.allowances ?? []).map(({ count, total, exp }): [string, string] => ['offline', `${count} payment(s) of together ${format(total)} until ${new Date(exp * 1000).toISOString()}`]),
          ]),
        ]),
      ].join('\n'));
    });
};
