/**
 * Open debugger ports of a process. A listening TCP socket is a debugger's if it answers like Node's inspector (`--inspect`, SIGUSR1,
 * `inspector.open()`); one that cannot be asked, because it listens in another network namespace, counts as one. An inspector that was opened and
 * closed between two payments leaves nothing to be seen here.
 */
import { get } from 'node:http';
import { readdirSync, readlinkSync } from 'node:fs';
import { isOwnLack, readProc, unlessOwnLack } from './proc.js';

const LISTEN = '0A';
const ASK_MS = 1000;
const REMEMBERED = 16_384;

export interface TcpSocket { readonly inode: string; readonly host: string; readonly port: number; readonly listening: boolean }

/** An address of /proc/net/tcp or tcp6: 32-bit words in the byte order of the machine (little-endian). */
function hostOf(hex: string): string {
  const bytes = Buffer.concat((hex.match(/.{8}/g) ?? []).map((word) => Buffer.from(word, 'hex').reverse()));
  if (bytes.every((byte) => byte === 0)) return bytes.length === 4 ? '127.0.0.1' : '::1';
  return bytes.length === 4 ? bytes.join('.') : (bytes.toString('hex').match(/.{4}/g) ?? []).join(':');
}

/** The sockets of such a table. One that listens on every address is asked at the loopback. */
export function parseSockets(table: string): TcpSocket[] {
  return table.split('\n').slice(1).filter((line) => line !== '').map((line) => {
    const [, local = '', , state, , , , , , inode = ''] = line.trim().split(/\s+/);
    const [host = '', port = ''] = local.split(':');
    return { inode, host: hostOf(host), port: Number.parseInt(port, 16), listening: state === LISTEN };
  });
}

/**
 * Inodes of sockets that are no debugger's and never become one without the help of code inside the process: of unix sockets, of connected ones,
 * of listeners that were asked. What is not in a table yet is not among them. They spare the reading of the TCP tables, which the kernel makes slow.
 */
const harmless = new Set<string>();

function remember(inodes: Iterable<string>): void {
  if (harmless.size >= REMEMBERED) harmless.clear();
  for (const inode of inodes) harmless.add(inode);
}

/** Sockets of the process that are not known to be harmless. */
function unknownSockets(proc: string): Set<string> {
  const sockets = readdirSync(`${proc}/fd`).map((fd) => linkOf(`${proc}/fd/${fd}`)).filter((link) => link.startsWith('socket:['));
  return new Set(sockets.map((link) => link.slice('socket:['.length, -1)).filter((inode) => !harmless.has(inode)));
}

/** A descriptor may be closed while it is looked at. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

function tableOf(path: string): string {
  try {
    return readProc(path);
  } catch (error) {
    return unlessOwnLack(error, '');
  }
}

function listenersAmong(unknown: Set<string>, proc: string): TcpSocket[] {
  const unix = readProc(`${proc}/net/unix`).split('\n').map((line) => line.split(/\s+/)[6] ?? '');
  remember(unix.filter((inode) => unknown.delete(inode)));
  if (unknown.size === 0) return [];
  const sockets = ['tcp', 'tcp6'].flatMap((table) => parseSockets(tableOf(`${proc}/net/${table}`))).filter(({ inode }) => unknown.has(inode));
  remember(sockets.filter(({ listening }) => !listening).map(({ inode }) => inode));
  return sockets.filter(({ listening }) => listening);
}

/** Asks once: GET /json/version, which Node's inspector answers with its protocol version. */
const answersAsInspector = ({ host, port }: TcpSocket): Promise<boolean> => new Promise((resolve, reject) => {
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
  request.on('error', (error) => { if (isOwnLack(error)) reject(error); else resolve(false); });
});

export async function senseInspector(proc: string): Promise<boolean> {
  const unknown = unknownSockets(proc);
  const listeners = unknown.size === 0 ? [] : listenersAmong(unknown, proc);
  if (listeners.length === 0) return false;
  if (readlinkSync(`${proc}/ns/net`) !== readlinkSync('/proc/self/ns/net')) return true;
  for (const listener of listeners) {
    if (await answersAsInspector(listener)) return true;
    remember([listener.inode]);
  }
  return false;
}
