import { expect, it } from 'vitest';
import { ShownList } from '../../../daemon/link/shownlist.js';
import { fault } from '../../../src/base/fault.js';

const GAP = fault('ima.gap', { from: 7, what: 'x' });
const KNOWN = { entries: 7, bytes: 900 };
const listOf = (keepIma = () => Promise.resolve(null)) => new ShownList({ imaPiece: () => Promise.resolve(null), keepIma }, { info: () => undefined, warn: () => undefined });
const next = async (list: ShownList) => (await list.part()).place?.entries ?? null;

it('goes on where the verifier stands; after a refusal once from its beginning, then no more until the next connection', async () => {
  const list = listOf();
  expect(await next(list)).toBe(0);
  list.known(KNOWN);
  expect(await next(list)).toBe(7);
  expect([list.refused(GAP), await next(list)]).toEqual([true, 0]);
  expect([list.refused(GAP), await next(list)]).toEqual([true, null]);
  list.known(KNOWN);
  expect([list.refused(GAP), await next(list)]).toEqual([false, null]);
  list.disconnected();
  expect(await next(list)).toBe(0);
});

it('that was taken may be refused again: the rules for files change more than once', async () => {
  const list = listOf();
  for (let i = 0; i < 3; i++) {
    list.known(KNOWN);
    expect([list.refused(GAP), await next(list)]).toEqual([true, 0]);
    list.taken();
  }
});

it('too large for anyone is not shown from its beginning either', async () => {
  const list = listOf();
  expect([list.refused(fault('ima.too_large', { size: 2, max: 1 })), await next(list)]).toEqual([true, null]);
});

it('is not what another refusal is about', async () => {
  const list = listOf();
  list.known(KNOWN);
  expect([list.refused(fault('nonce.used')), await next(list)]).toEqual([false, 7]);
});

it('that cannot be kept for the bundles is not shown; one that is shorter than what is known is shown from its beginning', async () => {
  const full = listOf(() => Promise.reject(new Error('no space left on device')));
  full.known(KNOWN);
  expect(await next(full)).toBeNull();
  let tries = 0;
  const other = listOf(() => (tries++ === 0 ? Promise.reject(GAP) : Promise.resolve(null)));
  other.known(KNOWN);
  expect(await next(other)).toBe(0);
});
