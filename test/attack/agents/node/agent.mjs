/** An agent that buys flowers: a line with a key in, the code or state of the answer out. */
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { order } from './node_modules/flowers/index.mjs';

const prompt = readFileSync(new URL('prompt.md', import.meta.url), 'utf8');
console.log(prompt.length > 0 ? 'ready' : 'no prompt');
for await (const line of createInterface({ input: process.stdin })) console.log(await order(process.argv[2], line.split(' ')[1]));
