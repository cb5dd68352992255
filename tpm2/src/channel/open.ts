import type { Channel } from './channel.js';
import { DeviceChannel } from './device.js';
import { SocketChannel } from './socket.js';

const USAGE = 'a TPM is named device:/dev/tpmrm0, swtpm:unix:PATH or swtpm:tcp:HOST:PORT';

/**
 * Opens `device:/dev/tpmrm0`, `swtpm:unix:PATH` or `swtpm:tcp:HOST:PORT`.
 * @throws ChannelError absent, permission or busy; TypeError for a name of another form
 */
export async function openChannel(spec: string): Promise<Channel> {
  const [, kind, place] = /^(device|swtpm:unix|swtpm:tcp):(.+)$/s.exec(spec) ?? [];
  if (kind === undefined || place === undefined) throw new TypeError(`${USAGE}, not ${JSON.stringify(spec)}`);
  if (kind === 'device') return await DeviceChannel.open(place);
  if (kind === 'swtpm:unix') return await SocketChannel.open(place, { path: place });
  const at = place.lastIndexOf(':');
  const port = Number(place.slice(at + 1));
  if (at < 1 || !Number.isInteger(port) || port < 1 || port > 65535) throw new TypeError(`${USAGE}, not ${JSON.stringify(spec)}`);
  return await SocketChannel.open(place, { host: place.slice(0, at).replace(/^\[(.*)\]$/, '$1'), port });
}
