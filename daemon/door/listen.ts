/** The socket file of the agents. Its folder is 0755, the socket 0660: who may connect is the operator's choice of its group. */
import { mkdirSync, lstatSync, unlinkSync } from 'node:fs';
import { type Server, connect } from 'node:net';
import { once } from 'node:events';
import { dirname } from 'node:path';
import { fault } from '../../src/base/fault.js';
import { native } from '../native.js';
import { descriptorOf } from './peer.js';

/** Descriptor of the first socket that systemd hands over (sd_listen_fds(3)). */
const SD_LISTEN_FDS_START = 3;
const activated = (): boolean => process.env['LISTEN_PID'] === String(process.pid) && process.env['LISTEN_FDS'] === '1';

/**
 * Listens at a path, or on the socket that systemd opened for it.
 * @throws Fault config.invalid when another process listens there or the path is no socket; peer.unidentified when peers cannot be named
 */
export async function listenAt(server: Server, path: string): Promise<void> {
  const listening = once(server, 'listening');
  if (activated()) server.listen({ fd: SD_LISTEN_FDS_START });
  else await bind(server, path);
  await listening;
  // Before anyone was accepted: accepted sockets inherit it.
  native().passCredentials(descriptorOf(server as never));
}

async function bind(server: Server, path: string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  await removeStale(path);
  const mask = process.umask(0o117);
  try {
    server.listen({ path });
  } finally {
    process.umask(mask);
  }
}

/** A socket file that a killed predecessor left is removed; one at which somebody listens never is. */
async function removeStale(path: string): Promise<void> {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined) return;
  if (!found.isSocket()) throw fault('config.invalid', { file: path, what: 'it exists and is no socket' });
  if (await answers(path)) throw fault('config.invalid', { file: path, what: 'another process listens there' });
  unlinkSync(path);
}

const answers = (path: string): Promise<boolean> => new Promise((resolve) => {
  const probe = connect({ path });
  probe.once('connect', () => resolve(true)).once('error', (error: NodeJS.ErrnoException) => resolve(error.code !== 'ECONNREFUSED'));
  probe.once('connect', () => probe.destroy());
});
