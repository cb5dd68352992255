/**
 * A measurement log that is longer than one message carries travels in pages before the evidence that certifies it. A page proves nothing by itself: it is
 * held, as long as it continues what is held, and the register over the whole decides.
 */
import { fault } from '../src/base/fault.js';
import { LOG_ENTRIES, LOG_PAGE, type LogDelta, type LogEntry } from '../src/objects/evidence.js';
import { logEnd } from './evidence.js';
import { readEntry } from './log.js';

/** Characters of contents in one page: a page and a platform part with its logs are less than a message may be. */
const PAGE_CHARS = 1_048_576;

/** A delta as pages, in order; the last, which goes with the evidence, may be empty. */
export function pagesOf({ epoch, from, entries }: LogDelta): { readonly before: LogDelta[]; readonly last: LogDelta } {
  const pages: LogDelta[] = [{ epoch, from, entries: [] }];
  let chars = 0;
  for (const entry of entries) {
    const page = pages.at(-1)!;
    chars += entry.content.length;
    if (page.entries.length < LOG_PAGE && (chars <= PAGE_CHARS || page.entries.length === 0)) { page.entries.push(entry); continue; }
    pages.push({ epoch, from: logEnd(page), entries: [entry] });
    chars = entry.content.length;
  }
  return { before: pages.slice(0, -1), last: pages.at(-1)! };
}

/** Bytes that held entries take, about. */
export const sizeOf = (entries: readonly LogEntry[]): number => entries.reduce((size, { content }) => size + content.length + 256, 0);

/**
 * What is held after a page: it goes on where the pages before it ended, or begins anew among the entries that are `known`.
 * @throws Fault log.gap, log.digest, log.entry, log.too_long
 */
export function addPage(held: LogDelta | null, page: LogDelta, known: number): LogDelta {
  const continued = held !== null && held.epoch === page.epoch && page.from === logEnd(held);
  if (!continued && page.from > known) throw fault('log.gap', { from: page.from, known: held?.epoch === page.epoch ? logEnd(held) : known });
  if (logEnd(page) > LOG_ENTRIES) throw fault('log.too_long', { n: logEnd(page), max: LOG_ENTRIES });
  page.entries.forEach((entry, i) => readEntry(entry, page.from + i));
  return continued ? { ...held, entries: [...held.entries, ...page.entries] } : page;
}
