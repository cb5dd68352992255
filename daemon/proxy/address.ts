/**
 * Where a payee's host may be. A name is of whoever runs its zone: it may point into this machine or its network, at a cloud's metadata service for
 * one. So the address is judged after it was resolved, and the connection goes to the very address that was judged.
 */
import { lookup } from 'node:dns/promises';
import { BlockList, isIP } from 'node:net';
import { fault } from '../../src/base/fault.js';

/** Special-use addresses of the IANA registries (RFC 6890 and what came after it). */
const SPECIAL = new BlockList();
const V4 = ['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '169.254.0.0/16', '172.16.0.0/12', '192.0.0.0/24', '192.0.2.0/24', '192.31.196.0/24', '192.52.193.0/24', '192.88.99.0/24', '192.168.0.0/16', '192.175.48.0/24', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '224.0.0.0/4', '240.0.0.0/4'];
for (const range of V4) SPECIAL.addSubnet(...subnet(range), 'ipv4');
/** Of IPv6 only global unicast is public, without the parts of it that hold another address or are no hosts. */
const V6 = ['2001::/23', '2001:db8::/32', '2002::/16', '3fff::/20'];
for (const range of V6) SPECIAL.addSubnet(...subnet(range), 'ipv6');
const GLOBAL = new BlockList();
GLOBAL.addSubnet('2000::', 3, 'ipv6');

function subnet(range: string): [string, number] {
  const [net = '', prefix] = range.split('/');
  return [net, Number(prefix)];
}

export function isPublic(address: string): boolean {
  if (isIP(address) === 4) return !SPECIAL.check(address, 'ipv4');
  return GLOBAL.check(address, 'ipv6') && !SPECIAL.check(address, 'ipv6');
}
const isLoopback = (address: string): boolean => /^127\.|^::1$/.test(address);

export interface Address { readonly address: string; readonly family: number }

/**
 * The address to connect to. All addresses of the name must be good: a name that has one of another kind is not what it seems.
 * @param loopback whether a payee may be on this machine
 * @throws Fault payee.address, payee.unreachable
 */
export async function addressOf(host: string, loopback: boolean): Promise<Address> {
  const found = await lookup(host, { all: true, verbatim: true }).catch((cause: NodeJS.ErrnoException) => { throw fault('payee.unreachable', { host, what: cause.code ?? 'no address' }); });
  const bad = found.find(({ address }) => !isPublic(address) && !(loopback && isLoopback(address)));
  if (bad) throw fault('payee.address', { host, address: bad.address });
  const [first] = found;
  if (first === undefined) throw fault('payee.unreachable', { host, what: 'no address' });
  return first;
}
