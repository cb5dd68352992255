/** One payment from the agent's order to its answer, with every process real: agent, sidecar, software TPM, verifier. */
import { loadConfig } from '../../daemon/config.js';
import { openDevice } from '../../daemon/tpm/device.js';
import { fundCarrier, putCarrier, putPayee } from '../../cli/actions.js';
import { AGENT_ID, Stage } from '../../cli/demo/stage.js';
import { eachOf, median, percentile, row, type Row } from './harness.js';

const WARM = 20;
const PAYMENTS = 150;
const SIGNATURES = 200;
const silent = { info: () => undefined, warn: () => undefined };

/** A carrier and a mandate that allow many small payments. */
async function allowMany(stage: Stage): Promise<void> {
  const now = Math.floor(Date.now() / 1000);
  const payees = [{ id: 'florist', origin: 'https://flowers.example', scenario: 'gift.flowers' }];
  await putPayee(stage.api, { payeeId: 'florist', origin: 'https://flowers.example', scenario: 'gift.flowers', settleAccount: 'payee:florist' });
  stage.carrierId = await putCarrier(stage.api, stage.user, {
    currency: 'CNY', agents: [AGENT_ID],
    rules: {
      perPaymentMax: 20_000n, totalMax: 1_000_000n, windows: [{ period: 'P1D', max: 1_000_000n, count: 10_000 }], scenarios: ['gift.flowers'], payees, notBefore: now - 5, notAfter: now + 86_400,
      hours: { tz: 'UTC', from: '00:00', to: '24:00' }, levels: ['L2', 'L3', 'L4'], minTier: 'T2', confirmAbove: 15_000n, offline: null,
    },
  });
  await fundCarrier(stage.api, stage.carrierId, 1_000_000n);
  await stage.signMandate({ level: 'L4', maxPayments: 10_000 });
}

/** A stage on which the agent may pay. The caller closes it. */
export async function openStage(): Promise<Stage> {
  const stage = await Stage.open();
  try {
    await stage.startTpm();
    await stage.startVerifier();
    await stage.createUser();
    await stage.startSidecar();
    await allowMany(stage);
    stage.startAgent();
    return stage;
  } catch (error) {
    await stage.close();
    throw error;
  }
}

let orders = 0;
/** One order of the agent. @returns milliseconds of each stage in the sidecar */
async function pay(stage: Stage): Promise<Record<string, number>> {
  const { body } = await stage.order({ key: `bench-${++orders}`, amount: 100 });
  if (body['state'] !== 'settled') throw new Error(`the payment was not settled: ${JSON.stringify(body)}`);
  return Object.fromEntries(Object.entries(body['ms'] as Record<string, string>).map(([name, ms]) => [name, Number(ms)]));
}

/** TPM2_NV_Certify of the register with the sidecar's own key, after the sidecar has let go of the TPM. */
async function signatures(stage: Stage): Promise<number[]> {
  const config = loadConfig(stage.sidecarConfig);
  const device = await openDevice({ ...config.tpm, stateDir: config.state.dir }, silent);
  try {
    const certify = (): Promise<unknown> => device.parts.measurements.certify(Buffer.alloc(32));
    await eachOf(WARM, certify);
    return await eachOf(SIGNATURES, certify);
  } finally {
    await device.close();
  }
}

export async function run(): Promise<Row[]> {
  const stage = await openStage();
  try {
    const stages: Record<string, number>[] = [];
    const pays = async (): Promise<void> => { stages.push(await pay(stage)); };
    await eachOf(WARM, pays);
    stages.length = 0;
    const all = await eachOf(PAYMENTS, pays);
    await stage.sidecar.stop();
    const beside = { what: "the TPM's own signing time, TPM2_NV_Certify", value: median(await signatures(stage)) };
    return [
      row('one payment, order to receipt and bundle, p50', median(all), 'ms', { beside, headline: true }),
      row('one payment, p99', percentile(all, 99), 'ms', { beside }),
      ...Object.keys(stages[0] ?? {}).map((name) => row(`of it in the sidecar: ${name}, p50`, median(stages.map((each) => each[name] ?? 0)), 'ms')),
    ];
  } finally {
    await stage.close();
  }
}
