/** What a device may send ahead of its evidence: pages of its log, pieces of its IMA list. The device is the adversary. */
import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { extensionOf, parseIma } from '../../attest/ima/index.js';
import { type Sha256, toB64u } from '../../src/base/bytes.js';
import { POLICY } from '../../src/objects/decision.js';
import type { LogDelta, PlatformEvidence } from '../../src/objects/evidence.js';
import { seal } from '../../src/objects/signed.js';
import { DEFAULT_POLICY } from '../../verifier/init.js';
import { loadKeys } from '../../verifier/keys.js';
import { Pages, Room } from '../../verifier/link/pages.js';
import { type MadeEntry, binaryList } from '../attest/support/logs.js';
import { PCRS } from '../support/device.js';
import { codeOf } from '../support/fault.js';
import { TestPayer } from './support/payer.js';
import { ISSUER } from './support/service.js';

let payer: TestPayer;
beforeAll(async () => {
  payer = await TestPayer.start();
  await payer.enrol();
  const { config } = payer.service;
  const policy = seal(POLICY, { iss: ISSUER, iat: 1_795_000_000, ...DEFAULT_POLICY, allowSimulated: true, pcrs: [...PCRS, 10], version: 2 }, loadKeys(config.keys.dir, config.deposit.origin).operator);
  writeFileSync(config.trust.policyFile, policy);
  await payer.service.restart();
});
afterAll(() => payer.stop());

const page = (from: number, to: number): LogDelta => ({ ...payer.device.delta(from), entries: payer.device.log.slice(from, to) });
const append = (log: LogDelta) => payer.link.answerTo('log_append', { log });
/** A connection up to its first nonce. */
async function greeted(): Promise<Sha256> {
  payer.link.close();
  const nonce = await payer.greet();
  await payer.device.increment();
  return nonce;
}
const platform = (nonce: Sha256, ima: PlatformEvidence['ima'] = null, counter = true): Promise<PlatformEvidence> => payer.device.platform({ nonce, aud: ISSUER, counter, pcrs: [...PCRS, 10], logs: { ima } });

describe('pages of a log', () => {
  afterEach(() => greeted());

  it('are held until a register certifies the log that they begin: then the device is proven', async () => {
    for (let i = 0; i < 30; i++) await payer.device.measure('agent_exit', { process: `${i}` });
    const evidence = await platform(await greeted());
    expect([await append(page(0, 10)), await append(page(10, 25))]).toEqual(['ack', 'ack']);
    expect(await payer.link.answerTo('platform', { evidence, log: page(25, 99) })).toBe('welcome');
  });

  it('are nothing by themselves: without the rest the evidence does not hold, and nothing of them is kept', async () => {
    for (let i = 0; i < 5; i++) await payer.device.measure('agent_exit', { process: `more ${i}` });
    const n = payer.device.log.length;
    const store = await payer.service.store();
    const known = async () => (await store.logHead(payer.deviceId, payer.device.position.epoch))!.nextN;
    const before = await known();
    const evidence = await platform(await greeted());
    await append(page(0, n - 1));
    expect(await payer.link.answerTo('platform', { evidence, log: { ...page(0, 0), from: n - 1 } })).toBe('binding.mismatch');
    expect(await known()).toBe(before);
    await store.close();
  });

  it.each<[string, () => LogDelta[], string[]]>([
    ['that leave entries out', () => [page(0, payer.device.log.length - 3), page(payer.device.log.length - 2, 99)], ['ack', 'log.gap']],
    ['that begin beyond what is known', () => [page(payer.device.log.length + 1, 99)], ['log.gap']],
    ['with an entry that was changed', () => [{ ...page(0, 10), entries: page(0, 10).entries.map((entry, i) => (i === 4 ? { ...entry, content: page(0, 10).entries[3]!.content } : entry)) }], ['log.digest']],
  ])('%s are refused', async (_, make, answers) => {
    await greeted();
    const told = [];
    for (const each of make()) told.push(await append(each));
    expect(told).toEqual(answers);
  });

  it('of another history of this epoch are held, and refused with the register', async () => {
    const evidence = await platform(await greeted());
    const other = payer.device.log.map((entry, n) => (n === 5 ? { ...payer.device.entry('agent_exit', { process: 'never' }), recnum: 5 } : entry));
    expect(await append({ ...page(0, 0), entries: other.slice(0, 10) })).toBe('ack');
    expect(await payer.link.answerTo('platform', { evidence, log: { ...page(0, 0), from: 10, entries: other.slice(10) } })).toBe('log.fork');
  });

  it('have a bound over all connections, and give back what they took', () => {
    const room = new Room(10_000);
    const [one, two] = [new Pages(room), new Pages(room)];
    one.add(page(0, 8), 0);
    expect(codeOf(() => two.add(page(0, 30), 0))).toBe('link.busy');
    expect(codeOf(() => one.add(page(9, 12), 0))).toBe('log.gap');
    two.add(page(0, 8), 0);
    two.end(page(8, 10));
    one.add(page(0, 8), 0);
    one.take();
    two.add(page(0, 8), 0);
  });
});

describe('an IMA list', () => {
  const ENTRIES: readonly MadeEntry[] = Array.from({ length: 8 }, (_, i) => ({ path: `/usr/bin/${i}`, digest: `a${i}`.repeat(32) }));
  const bytesOf = (to: number): number => binaryList(ENTRIES.slice(0, to)).length;
  const measure = async (from: number, to: number): Promise<void> => {
    for (const entry of parseIma('ima-binary', binaryList(ENTRIES.slice(from, to)))) await payer.device.extendPcr(10, extensionOf(entry, 'sha256', 'own'));
  };
  const part = (from: number, to: number): NonNullable<PlatformEvidence['ima']> => ({ format: 'ima-binary', from, data: toB64u(binaryList(ENTRIES.slice(from, to))) });
  const show = async (nonce: Promise<Sha256>, ima: PlatformEvidence['ima'], isNew: boolean) => {
    const evidence = await platform(await nonce, ima, isNew);
    return payer.link.answerTo('platform', { evidence, log: payer.device.delta() });
  };
  const connect = (ima: PlatformEvidence['ima']) => show(greeted(), ima, true);
  const refresh = (ima: PlatformEvidence['ima']) => show(payer.platformNonce(), ima, false);
  const piece = async (from: number, to: number, cut = 0) => {
    const { data } = part(from, to);
    const answer = await payer.link.ask('ima_append', { from, data: toB64u(Buffer.from(data, 'base64url').subarray(0, cut === 0 ? undefined : -cut)) });
    return answer.type === 'error' ? answer.body.code : answer.type === 'ima' ? [answer.body.entries, answer.body.bytes] : answer.type;
  };
  const known = async () => Object.values(await payer.link.next('ima'));

  it('is known as far as the quote covers it, on this connection and the next', async () => {
    await measure(0, 2);
    expect(await connect(part(0, 3))).toBe('welcome');
    expect(await known()).toEqual([2, bytesOf(2)]);
    expect(await connect(null)).toBe('welcome');
    expect(await known()).toEqual([2, bytesOf(2)]);
    await measure(2, 3);
    expect(await refresh(part(2, 3))).toBe('ack');
    expect(await known()).toEqual([3, bytesOf(3)]);
  });

  it('is known to another process of the verifier', async () => {
    await payer.service.restart();
    expect(await connect(part(3, 3))).toBe('welcome');
    expect(await known()).toEqual([3, bytesOf(3)]);
  });

  it('that does not go on there is refused by name, and taken from its beginning', async () => {
    for (const wrong of [part(2, 3), part(4, 5)]) expect(await refresh(wrong)).toBe('ima.gap');
    expect(await refresh(part(0, 3))).toBe('ack');
    expect(await known()).toEqual([3, bytesOf(3)]);
  });

  it('in pieces is taken to the last whole entry of each, and proven by the quote that covers them', async () => {
    await measure(3, 7);
    expect(await piece(3, 5, 10)).toEqual([4, bytesOf(4)]);
    expect(await piece(4, 6)).toEqual([6, bytesOf(6)]);
    expect(await refresh(part(6, 8))).toBe('ack');
    expect(await known()).toEqual([7, bytesOf(7)]);
  });

  it('in pieces that leave entries out, repeat or change their order is refused, at once or with the quote', async () => {
    expect(await piece(6, 7)).toBe('ima.gap');
    expect(await piece(8, 8)).toBe('ima.gap');
    expect(await piece(0, 3)).toEqual([3, bytesOf(3)]);
    expect(await piece(0, 3)).toEqual([3, bytesOf(3)]);
    expect(await payer.link.answerTo('ima_append', { from: 3, data: part(4, 5).data })).toBe('ima');
    expect(await refresh(part(4, 7))).toBe('ima.gap');
    expect(await refresh(part(0, 7))).toBe('ack');
  });

  it('of the boot before is not gone on with', async () => {
    await payer.device.reboot('reset');
    await payer.beginLog(await greeted());
    expect(await connect(null)).toBe('welcome');
    expect(await known()).toEqual([0, 0]);
  });
});
