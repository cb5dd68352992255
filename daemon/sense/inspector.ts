/**
 * Open debugger ports of a process. A listening TCP socket is a debugger's if it answers like Node's inspector (`--inspect`, SIGUSR1,
 * `inspector.open()`); one that cannot be asked, because it listens in another network namespace, counts as one. An inspector that was opened and
 * closed between two payments leaves nothing to be seen here.
 */
import { get } from 'node:http';
import { readFile, readdir, readlink } from 'node:fs/promises';

const LISTEN = '0A';
const ASK_MS = 300;
const REMEMBERED = 4096;

export interface Listener { readonly inode: string; readonly host: string; readonly port: number }

/** An address of /proc/net/tcp or tcp6: 32-bit words in the byte order of the machine (little-endian). */
function hostOf(hex: string): string {
  const bytes = Buffer.concat((hex.match(/.{8}/g) ?? []).map((word) => Buffer.from(word, 'hex').reverse()));
  if (bytes.every((byte) => byte === 0)) return bytes.length === 4 ? '127.0.0.1' : '::1';
  return bytes.length === 4 ? bytes.join('.') : (bytes.toString('hex').match(/.{4}/g) ?? []).join(':');
}

/** The listening sockets of a table. One that listens on every address is asked at the loopback. */
export function parseListeners(table: string): Listener[] {
  return table.split('\n').slice(1).flatMap((line) => {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
    const [host = '', port = ''] = local.split(':');
    return state === LISTEN ? [{ inode, host: hostOf(host), port: Number.parseInt(port, 16) }] : [];
  });
}

async function socketInodes(proc: string): Promise<Set<string>> {
  const links = await Promise.all((await readdir(`${proc}/fd`)).map((fd) => readlink(`${proc}/fd/${fd}`).catch(() => '')));
  return new Set(links.flatMap((link) => /^socket:\[([0-9]+)\]$/.exec(link)?.[1] ?? []));
}

async function listenersOf(proc: string): Promise<Listener[]> {
  const tables = await Promise.all(['tcp', 'tcp6'].map((table) => readFile(`${proc}/net/${table}`, 'latin1').catch(() => '')));
  const listeners = tables.flatMap(parseListeners);
  if (listeners.length === 0) return [];
  const own = await socketInodes(proc);
  return listeners.filter((listener) => own.has(listener.inode));
}

/** Asks once: GET /json/version, which Node's inspector answers with its protocol version. */
const answersAsInspector = ({ host, port }: Listener): Promise<boolean> => new Promise((resolve) => {
  const request = get({ host, port, path: '/json/version', timeout: ASK_MS, agent: false }, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (piece: string) => {
      text += piece;
      if (text.length > 65_536) request.destroy();
    });
    response.on('close', () => resolve(text.includes('"Protocol-Version"')));
  });
  request.on('timeout', () => request.destroy());
  request.on('error', () => resolve(false));
});

/** Sockets that were asked and are no inspector's: a socket never becomes one. */
const harmless = new Set<string>();

export async function senseInspector(proc: string): Promise<boolean> {
  const unknown = (await listenersOf(proc)).filter((listener) => !harmless.has(listener.inode));
  if (unknown.length === 0) return false;
  if (await readlink(`${proc}/ns/net`) !== await readlink('/proc/self/ns/net')) return true;
  for (const listener of unknown) {
    if (await answersAsInspector(listener)) return true;
    if (harmless.size >= REMEMBERED) harmless.clear();
    harmless.add(listener.inode);
  }
  return false;
}
