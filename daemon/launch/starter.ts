/**
 * What an agent is before it is one: takes its user, connects to the sidecar, waits for the word, and execs the agent through a descriptor. Started by
 * {@link launch} with a socket to it as descriptor 3 and the executable as descriptor 4.
 *
 * A process that changed its user is not dumpable (prctl(2)): no process of that user can trace it or write its memory before the exec, and the exec
 * is of the file that was hashed, whatever its name leads to now.
 */
import { readSync, statSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import { once } from 'node:events';
import { SOCKET_FD } from '../../src/agentapi.js';
import { openLibc } from '../native.js';

export interface Order { readonly socket: string; readonly argv: readonly string[]; readonly env: Readonly<Record<string, string>>; readonly user: { readonly uid: number; readonly gid: number } | null }

const CONTROL = 3, EXECUTABLE = 4;
const PR_SET_DUMPABLE = 4, PR_SET_NO_NEW_PRIVS = 38, F_DUPFD = 0, F_SETFD = 2, F_SETFL = 4, SIGPIPE = 13;

function readLine(): string {
  const buffer = Buffer.alloc(65_536);
  let text = '';
  while (!text.endsWith('\n')) {
    const bytes = readSync(CONTROL, buffer);
    if (bytes === 0) process.exit(127);
    text += buffer.toString('utf8', 0, bytes);
  }
  return text.slice(0, -1);
}
const say = (line: string): void => void writeSync(CONTROL, `${line}\n`);

/** With the group of the socket: whom the operator has launched may open it. Never with root's group. */
function takeUser({ uid, gid }: NonNullable<Order['user']>, socket: string): void {
  const { gid: door } = statSync(socket);
  process.setgroups?.(door === 0 ? [gid] : [gid, door]);
  process.setgid?.(gid);
  process.setuid?.(uid);
}

async function start({ socket, argv, env, user }: Order): Promise<never> {
  const { libc, koffi } = openLibc();
  if (user !== null) takeUser(user, socket);
  const prctl = libc.func('int prctl(int, unsigned long, unsigned long, unsigned long, unsigned long)');
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  const connection = connect({ path: socket });
  await once(connection, 'connect');
  const descriptor = (connection as unknown as { _handle: { fd: number } })._handle.fd;
  const fcntl = libc.func('int fcntl(int, int, ...)');
  const kept = Number(fcntl(descriptor, F_DUPFD, 'int', EXECUTABLE + 1));
  fcntl(kept, F_SETFL, 'int', 0); // waits, as a new connection does
  say('connected');
  readLine();
  for (const stream of [0, 1, 2]) fcntl(stream, F_SETFD, 'int', 0); // Node closes all at an exec
  libc.func('void *signal(int, void *)')(SIGPIPE, null); // ignored by Node, and what is ignored stays so
  const strings = (list: readonly string[]): (string | null)[] => [...list, null];
  libc.func('int fexecve(int, const char **, const char **)')(EXECUTABLE, strings(argv), strings(Object.entries({ ...env, [SOCKET_FD]: String(kept) }).map(([name, text]) => `${name}=${text}`)));
  say(`failed errno ${koffi.errno()}`);
  process.exit(127);
}

start(JSON.parse(readLine()) as Order).catch((error: Error) => {
  say(`failed ${error.message}`);
  process.exit(127);
});
