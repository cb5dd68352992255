/** What the size of an agent costs a verifier at a payment: its manifest names every file of it. */
import { manifestOf } from '../support/agent.js';
import { TestPayer } from '../verifier/support/payer.js';
import { median, ratioOf, row, timed, type Row } from './harness.js';

const FEWEST = 10;
const FILES = [5_000, 20_000];
const SAMPLES = 30;

/** From the message of the payment to its decision, deposited and durable. The first payments are left out. */
async function decisions(files: number): Promise<number[]> {
  const payer = await TestPayer.start({}, '', '', manifestOf(files));
  try {
    await payer.enrol();
    await payer.openCarrier();
    await payer.giveMandate();
    const samples: number[] = [];
    for (let n = -5; n < SAMPLES; n++) {
      const message = await payer.attempt(payer.intent());
      samples.push(await timed(() => payer.decision(message)));
    }
    return samples.slice(5);
  } finally {
    await payer.stop();
  }
}

export async function manifests(): Promise<Row[]> {
  const fewest = await decisions(FEWEST);
  const rows: Row[] = [];
  for (const files of FILES) {
    const these = await decisions(files);
    rows.push(row(`a payment decided, its agent of ${files.toLocaleString('en')} files`, median(these), 'ms', { beside: { what: `of ${FEWEST} files`, value: median(fewest) }, ratio: ratioOf(these, fewest) }));
  }
  return rows;
}
