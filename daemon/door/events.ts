/** Server-sent events (WHATWG HTML, section 9.2) to one agent. */
import type { ServerResponse } from 'node:http';
import { encode } from '../../src/base/shape.js';
import { agentEvent, type AgentEvent } from '../../src/agentapi.js';

/** A comment line, so that both ends see a dead connection. */
const BEAT_MS = 15_000;
/** A reader that leaves this much unread is cut off: it asks for the state of its payments when it is back. */
const UNREAD_BYTES = 262_144;

export function streamEvents(response: ServerResponse, subscribe: (listener: (event: AgentEvent) => void) => () => void): void {
  const write = (text: string): void => {
    if (response.writableLength > UNREAD_BYTES) response.destroy();
    else response.write(text);
  };
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  write(': events of this agent\n\n');
  const end = subscribe((event) => {
    const { type, body } = encode(agentEvent, event) as { type: string; body: unknown };
    write(`event: ${type}\ndata: ${JSON.stringify(body)}\n\n`);
  });
  const beat = setInterval(() => write(': \n\n'), BEAT_MS);
  response.once('close', () => {
    clearInterval(beat);
    end();
  });
}
