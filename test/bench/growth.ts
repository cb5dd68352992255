/** What grows with history, and what must not: appraisal with the measurement log, a decision's transaction with the payments before it. */
import { join } from 'node:path';
import { appraisePayment, appraisePlatform } from '../../attest/verify/index.js';
import { sha256 } from '../../src/base/bytes.js';
import type { DecideInput, Store } from '../../verifier/store/verbs.js';
import { openStore } from '../../verifier/store/store.js';
import { TestDevice } from '../support/device.js';
import { decisionOf, mandateRow, openCarrier, settle } from '../verifier/store/world.js';
import { paymentCase } from './appraisal.js';
import { interleave, median, ratioOf, row, timed, type Row } from './harness.js';
import { lists } from './lists.js';
import { manifests } from './manifests.js';
import { inFolder, withDisk } from './place.js';

const RECORDS = [1, 100, 1000];
const HISTORY = [100, 1500];
const SAMPLES = 60;

async function appraisals(): Promise<Row[]> {
  const device = await TestDevice.start();
  try {
    const works: Record<string, () => unknown> = {};
    for (const records of RECORDS) {
      while (device.log.length < records) await device.measure('agent_start', { agent_id: 'example.shopper', tree_sha256: sha256(`tree ${device.log.length}`) });
      const { platform, payment } = await paymentCase(device);
      works[`payment ${records}`] = () => appraisePayment(payment);
      works[`connection ${records}`] = () => appraisePlatform(platform);
    }
    const samples = await interleave(works, { rounds: 8, calls: 8 });
    const line = (what: string, kind: string, records: number): Row => {
      const [these, first] = [samples[`${kind} ${records}`]!, samples[`${kind} ${RECORDS[0]}`]!];
      return row(`${what} ${records.toLocaleString('en')} log records`, median(these), 'ms', { beside: { what: 'with one record', value: median(first) }, ratio: ratioOf(these, first), headline: kind === 'payment' && records === RECORDS.at(-1) });
    };
    return RECORDS.slice(1).flatMap((records) => [line('a payment appraised after', 'payment', records), line('a connection appraised that brings', 'connection', records)]);
  } finally {
    await device.stop();
  }
}

let payments = 0;
const nextDecision = (store: Store): Promise<DecideInput> => decisionOf(store, 'permit', { payment: `bench ${++payments}`, amount: 1n, carrierId: 'crr_2', mandateId: 'mnd_2' });

async function decided(store: Store, input: DecideInput): Promise<void> {
  const result = await store.decide(input);
  if (!result.ok) throw new Error('the decision was not stored');
}

/** The transaction that consumes the nonce, advances the device, reserves and queues the leaf; beside a line written and synced. */
async function decisions(store: Store, sync: () => void): Promise<Row[]> {
  await settle(store);
  await openCarrier(store, 'crr_2', 1_000_000n, { totalMax: 1_000_000n });
  await store.addMandate(mandateRow('mnd_2', '1', { carrierId: 'crr_2', maxPayments: 1_000_000 }));
  const rows: Row[] = [];
  for (const history of HISTORY) {
    while (payments < history) await decided(store, await nextDecision(store));
    const [deciding, syncing]: [number[], number[]] = [[], []];
    for (let n = 0; n < SAMPLES; n++) {
      const input = await nextDecision(store);
      deciding.push(await timed(() => decided(store, input)));
      syncing.push(await timed(sync));
    }
    rows.push(row(`a decision's transaction after ${history.toLocaleString('en')} payments`, median(deciding), 'ms', { beside: { what: 'one write and fdatasync', value: median(syncing) }, ratio: ratioOf(deciding, syncing) }));
  }
  return rows;
}

export const run = (): Promise<Row[]> => inFolder((dir) => withDisk(dir, async (sync) => {
  const store = await openStore({ path: join(dir, 'store.db') });
  try {
    return [...await appraisals(), ...await lists(), ...await manifests(), ...await decisions(store, sync)];
  } finally {
    await store.close();
  }
}));
