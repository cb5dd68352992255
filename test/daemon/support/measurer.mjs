/** A sidecar's eyes in a process of their own, to be run as another user. Measures the first who connects, at each line anew: the findings, and how many files it looked at. */
import { createServer } from 'node:net';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { compareWithManifest } from '../../../dist/attest/manifest.js';
import { measure } from '../../../dist/attest/measure.js';
import { heldBy } from '../../../dist/daemon/capabilities.js';
import { identify } from '../../../dist/daemon/door/peer.js';
import { FileHashes } from '../../../dist/daemon/sense/hash.js';
import { Senses } from '../../../dist/daemon/sense/sense.js';
import { parse } from '../../../dist/src/base/shape.js';
import { agentManifest } from '../../../dist/src/objects/manifest.js';

const [socket, root, file] = process.argv.slice(2);
const value = parse(agentManifest, readFileSync(file));
const agent = { id: value.agent.id, manifest: { value, sha256: 'A'.repeat(43) }, root, uid: null };
const hashes = new FileHashes(() => Date.now() + 10_000);
const senses = new Senses(hashes);
let looks = 0;
const { hash } = hashes;
hashes.hash = (path) => { looks++; return hash.call(hashes, path); };

function met(connection) {
  try {
    const peer = identify(connection);
    console.log('connected');
    return peer;
  } catch (error) {
    console.log(`refused: ${error.code}`);
    return null;
  }
}

createServer({ pauseOnConnect: true }, async (connection) => {
  const peer = met(connection);
  if (peer === null) return;
  for await (const line of createInterface({ input: process.stdin })) {
    looks = 0;
    const before = process.cpuUsage();
    const snapshot = await senses.look(peer, agent).catch((error) => error);
    const { user, system } = process.cpuUsage(before);
    const claims = snapshot instanceof Error ? null : measure(snapshot, { agentId: agent.id, manifestSha256: agent.manifest.sha256, manifest: value, mode: 'attach', earlier: [] });
    const found = claims === null ? [snapshot.code] : compareWithManifest(claims, value).map(({ code }) => code);
    console.log(JSON.stringify({ line, found, looks, cpuMs: (user + system) / 1000, lacking: heldBy('self').lacking.map(({ name }) => name) }));
  }
}).listen(socket, () => console.log('listening'));
