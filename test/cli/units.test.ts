import { expect, it } from 'vitest';
import { type Installation, unitFiles } from '../../cli/units.js';
import { codeOf } from '../support/fault.js';

const place: Installation = { node: '/usr/bin/node', ari: '/usr/lib/ari.js', config: '/etc/ari/sidecar.toml', stateDir: '/var/lib/ari', socket: '/run/ari/agent.sock', tpm: null };
const startOf = (change: Partial<Installation>): string => /^ExecStart=(.*)$/m.exec(unitFiles({ ...place, ...change })['/etc/systemd/system/ari-sidecar.service']!)![1]!;

it('a path is one word of a command line, whatever is in it', () => {
  expect(startOf({})).toBe('/usr/bin/node /usr/lib/ari.js daemon -c /etc/ari/sidecar.toml');
  expect(startOf({ config: '/etc/my ari/100%/$HOME/"a\\b' })).toBe('/usr/bin/node /usr/lib/ari.js daemon -c "/etc/my ari/100%%/$$HOME/\\"a\\\\b"');
});

it.each<[string, Partial<Installation>]>([
  ['a path with an end of a line', { config: '/etc/ari\nUser=root\n' }],
  ['a state folder with one', { stateDir: '/var/lib/ari\nUser=root' }],
  ['two state folders', { stateDir: '/var/lib/ari other' }],
  ['a state folder that systemd would expand', { stateDir: '/var/lib/%u' }],
  ['a state folder that leads elsewhere', { stateDir: '/var/lib/../../etc' }],
  ['a socket in another place', { socket: '/tmp/ari/agent.sock' }],
])('a unit is not written with %s', (_, change) => {
  expect(codeOf(() => unitFiles({ ...place, ...change }))).toBe('usage.wrong');
});
