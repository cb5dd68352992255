/**
 * Tells systemd how the service stands (sd_notify(3)): one datagram to the socket that it named. It comes from the service's own process, so the unit
 * need not listen to others (NotifyAccess=main). Node has no datagram sockets of this family; a helper program would be another process.
 */
import { openLibc } from './native.js';

const AF_UNIX = 1, SOCK_DGRAM = 2, SOCK_CLOEXEC = 0x80000, MSG_NOSIGNAL = 0x4000;

/** `struct sockaddr_un`. A name that begins with `@` is one without a file. */
function addressOf(name: string): Buffer {
  const path = Buffer.from(name.startsWith('@') ? `\0${name.slice(1)}` : `${name}\0`);
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX);
  return Buffer.concat([family, path]);
}

/** `state`: `READY=1` when agents are served, `STOPPING=1`. Nothing for a process that systemd did not start. @returns whether systemd was told */
export function notify(state: 'READY=1' | 'STOPPING=1', name = process.env['NOTIFY_SOCKET'] ?? ''): boolean {
  if (name === '') return false;
  const { libc } = openLibc();
  const fd = Number(libc.func('int socket(int, int, int)')(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (fd < 0) return false;
  const [message, address] = [Buffer.from(state), addressOf(name)];
  const sent = Number(libc.func('long sendto(int, const uint8_t *, size_t, int, const uint8_t *, uint32_t)')(fd, message, message.length, MSG_NOSIGNAL, address, address.length));
  libc.func('int close(int)')(fd);
  return sent === message.length;
}
