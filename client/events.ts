import type { Readable } from 'node:stream';

export interface ServerEvent { readonly type: string; readonly data: string }

/** Server-sent events as this sidecar writes them: an `event` and a `data` line each, comments between. */
export async function* readEvents(stream: Readable): AsyncGenerator<ServerEvent, void, void> {
  let rest = '';
  for await (const piece of stream.setEncoding('utf8') as AsyncIterable<string>) {
    const blocks = (rest + piece).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const fields = new Map(block.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]));
      const [type, data] = [fields.get('event'), fields.get('data')];
      if (type !== undefined && data !== undefined) yield { type, data };
    }
  }
}
