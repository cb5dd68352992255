/** An agent that writes to the sidecar's socket whatever bytes it is told, one connection each: `node agent.mjs SOCKET`, a line of base64 in, one out. */
import { connect } from 'node:net';
import { createInterface } from 'node:readline';

const exchange = (bytes) => new Promise((resolve, reject) => {
  const pieces = [];
  const socket = connect(process.argv[2]);
  socket.on('data', (piece) => pieces.push(piece)).on('error', reject).on('close', () => resolve(Buffer.concat(pieces)));
  socket.write(bytes);
});

const work = async (line) => {
  const { id, bytes } = JSON.parse(line);
  const answer = await exchange(Buffer.from(bytes, 'base64'));
  process.stdout.write(`${JSON.stringify({ id, bytes: answer.toString('base64') })}\n`);
};
for await (const line of createInterface({ input: process.stdin })) await work(line);
