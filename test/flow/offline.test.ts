/** Payments of a terminal whose verifier is away, with real processes: promised offline, brought in order, settled once, and told as they were. */
import { execFileSync } from 'node:child_process';
import { cp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { explainBundle, verifyBundle } from '../../attest/bundle.js';
import { verifyVoucher } from '../../attest/voucher.js';
import { fundCarrier, order as userOrder, putCarrier, putPayee, showCarrier } from '../../cli/actions.js';
import { ARI } from '../../cli/demo/processes.js';
import { AGENT_ID, type Answer, Stage } from '../../cli/demo/stage.js';
import type { StatusView } from '../../src/agentapi.js';
import { type Statement, statement } from '../../src/deposit/statement.js';
import { parseTrust } from '../../src/objects/trust.js';

let stage: Stage;
const AMOUNT = 100;
const PAYEES = [{ id: 'florist', origin: 'https://flowers.example', scenario: 'gift.flowers' }];

beforeAll(async () => {
  stage = await Stage.open();
  await stage.startTpm();
  await stage.startVerifier();
  await stage.createUser();
  await stage.startSidecar();
  const now = Math.floor(Date.now() / 1000);
  await putPayee(stage.api, { payeeId: 'florist', origin: 'https://flowers.example', scenario: 'gift.flowers', settleAccount: 'florist' });
  stage.carrierId = await putCarrier(stage.api, stage.user, {
    currency: 'CNY', agents: [AGENT_ID],
    rules: {
      perPaymentMax: 200n, totalMax: 10_000n, windows: [{ period: 'P1D', max: 5_000n, count: 50 }], scenarios: ['gift.flowers'], payees: PAYEES, notBefore: now - 5, notAfter: now + 86_400, hours: null,
      levels: ['L3', 'L4'], minTier: 'T2', confirmAbove: 1_000n, offline: { maxCount: 4, maxTotal: 450n },
    },
  });
  await fundCarrier(stage.api, stage.carrierId, 10_000n);
  await stage.signMandate({ level: 'L4', maxPayments: null });
  stage.startAgent();
}, 60_000);
afterAll(() => stage.close());

const order = (key: string, amount = AMOUNT, payee = 'florist'): Promise<Answer> => stage.order({ key, amount, payee });
const money = async (): Promise<{ spent: number; reserved: number }> => {
  const { spent, reserved } = await showCarrier(stage.api, stage.carrierId);
  return { spent: Number(spent), reserved: Number(reserved) };
};
const trust = async () => parseTrust(await readFile(stage.keysFile, 'utf8'));

async function until(check: (status: StatusView) => boolean, ms = 30_000): Promise<void> {
  for (const end = Date.now() + ms; ; await sleep(50)) {
    const status = await stage.status().catch(() => null);
    if (status && check(status)) return;
    if (Date.now() > end) throw new Error(`the status stays ${JSON.stringify(status)}; ${stage.sidecar.log}; ${stage.verifier.log}`);
  }
}
/** Connected, with an allowance of which nothing is spent. */
const allowed = (): Promise<void> => until(({ verifier, agents: [agent] }) => verifier.connected && agent?.allowances?.[0]?.count === 4);
const away = async (): Promise<void> => {
  await stage.verifier.stop();
  await until(({ verifier }) => !verifier.connected);
};
const back = async (): Promise<void> => {
  await stage.restartVerifier();
  await until(({ verifier, agents: [agent] }) => verifier.connected && (agent?.mandates ?? 0) > 0);
};
async function ended(key: string, amount = AMOUNT): Promise<Answer> {
  for (const end = Date.now() + 20_000; ; await sleep(100)) {
    const answer = await order(key, amount);
    const state = (answer.body['payment'] as Record<string, unknown> | undefined)?.['state'] ?? answer.body['state'];
    if (state !== 'permitted' && state !== 'released') return answer;
    if (Date.now() > end) throw new Error(`it stays ${JSON.stringify(answer.body)}; ${stage.sidecar.log}; ${stage.verifier.log}`);
  }
}
async function statementNow(): Promise<Statement> {
  const said = await stage.api.get(`/v1/payment/carriers/${stage.carrierId}/statement`) as unknown as { leaves: { leaf: string }[]; receipts: string[]; proof: string };
  return statement({ carrierId: stage.carrierId, leaves: said.leaves.map(({ leaf }) => leaf), receipts: said.receipts, proof: said.proof }, await trust());
}
const allowances = ({ lines }: Statement): string[] => lines.map(({ leaf: { kind, code } }) => `${kind}${code === null ? '' : ` ${code}`}`).filter((kind) => kind.startsWith('allowance'));
const voucherOf = ({ body }: Answer): string => (body['offline'] as { voucher: string }).voucher;

describe('a terminal whose verifier is away', () => {
  it('pays what was allowed ahead, and tells its agent that it was offline', async () => {
    await allowed();
    expect(await money()).toEqual({ spent: 0, reserved: 450 });
    await away();
    for (const key of ['one', 'two', 'three']) {
      const answer = await order(key);
      expect(answer, JSON.stringify(answer.body)).toMatchObject({ status: 202, body: { state: 'permitted', decision: null, offline: { allowance_id: expect.stringMatching(/^alw_/) } } });
    }
    await until(({ agents: [agent] }) => agent?.allowances?.[0]?.count === 1 && agent.allowances[0].total.amount === 150n);
  }, 60_000);

  it('hands out a voucher that a payee checks with public keys alone, and that nobody can change', async () => {
    const text = voucherOf(await order('one'));
    const keys = await trust();
    const now = Math.floor(Date.now() / 1000);
    expect(verifyVoucher(text, keys, now)).toMatchObject({ ok: true, verdict: { nth: 1, of: 4, amount: { amount: 100n, currency: 'CNY' }, simulated: true } });
    expect(verifyVoucher(voucherOf(await order('three')), keys, now)).toMatchObject({ ok: true, verdict: { nth: 3 } });
    expect(verifyVoucher(text.replace('"amount":100,', '"amount":101,'), keys, now)).toMatchObject({ ok: false, firstBroken: expect.stringMatching(/intent$/) });
    expect(verifyVoucher(text.replace(/"ctr":"(\d+)"/, (_, ctr: string) => `"ctr":"${Number(ctr) + 1}"`), keys, now)).toMatchObject({ ok: false, firstBroken: 'attest-binding' });
    await writeFile(join(stage.dir, 'voucher.json'), text);
    expect(execFileSync(process.execPath, [ARI, 'verify', join(stage.dir, 'voucher.json'), '--keys', stage.keysFile], { encoding: 'utf8' })).toContain('a promise of 1.00 CNY to florist, at most payment 1 of 4 that were reserved');
    expect(execFileSync(process.execPath, [ARI, 'status', '--socket', stage.socket], { encoding: 'utf8' })).toMatch(/offline +1 payment\(s\) of together 1\.50 CNY until/);
    expect(verifyVoucher(text, keys, now + 40 * 86_400)).toMatchObject({ ok: false, firstBroken: 'allowance-intent' });
  });

  it.each([
    ['more than one payment may be', 201, 'florist', 'offline.per_payment'],
    ['a payee that is not listed', 100, 'stranger', /^(?:carrier|mandate|offline)\.payee$/],
    ['more than is left', 200, 'florist', 'offline.total'],
  ])('refuses %s, and counts nothing', async (what, amount, payee, code) => {
    const { body } = await order(`refused ${what}`.replaceAll(' ', '-'), amount, payee);
    expect(body['code']).toMatch(code instanceof RegExp ? code : new RegExp(`^${code.replace('.', '\\.')}$|^mandate\\.amount$|^carrier\\.per_payment$`));
    await until(({ agents: [agent] }) => agent?.allowances?.[0]?.count === 1);
  });

  it('keeps both what it paid and what it may pay when it is killed', async () => {
    await stage.sidecar.stop('SIGKILL');
    await stage.agent.stop('SIGKILL');
    const restarted = stage.restartSidecar().catch(() => null);
    stage.startAgent();
    await until(({ agents: [agent] }) => agent?.allowances?.[0]?.count === 1);
    expect((await order('one')).body).toMatchObject({ state: 'permitted', offline: {} });
    expect((await order('four')).body).toMatchObject({ state: 'permitted', offline: {} });
    expect((await order('five', 50)).body['code']).toBe('offline.count');
    await back();
    await restarted;
  }, 60_000);
});

describe('when it is back', () => {
  it('each payment is settled once, in the order of the counter, and what is left is free again', async () => {
    for (const key of ['one', 'two', 'three', 'four']) expect((await ended(key)).body).toMatchObject({ state: 'settled', decision: 'permit' });
    await allowed();
    expect(await money()).toEqual({ spent: 400, reserved: 450 });
  }, 60_000);

  it('the bundle verifies, and says in plain words that it was made offline', async () => {
    const { bundle } = await ended('two');
    const keys = await trust();
    expect(verifyBundle(bundle!, keys)).toMatchObject({ ok: true, firstBroken: null, verdict: { settled: true } });
    const words = explainBundle(bundle!, keys).sections.flatMap(({ lines }) => lines).join('\n');
    expect(words).toContain('made OFFLINE');
    expect(words).toContain('at most 4 payments of at most 2.00 CNY, together at most 4.50 CNY');
    const without = JSON.parse(bundle!) as Record<string, unknown>;
    delete without['allowance'];
    expect(verifyBundle(JSON.stringify(without), keys).ok).toBe(false);
    const other = JSON.parse((await ended('three')).bundle!) as { evidence: unknown };
    expect(verifyBundle(JSON.stringify({ ...JSON.parse(bundle!) as object, evidence: other.evidence }), keys).ok).toBe(false);
  });

  it('the chain of the carrier has the allowances and no gap, and its totals are those of the receipts', async () => {
    const own = await statementNow();
    expect(own.wrong).toEqual([]);
    expect(own.paid).toBe(400n);
    expect(allowances(own)).toEqual(['allowance_issued', 'allowance_closed', 'allowance_issued']);
  });
});

describe('a sidecar whose state was restored from a copy', () => {
  it('cannot spend again: the counter of the TPM does not go back, and the values that nobody brought are seen', async () => {
    await allowed();
    await away();
    const state = join(stage.dir, 'state');
    const restart = async (): Promise<void> => {
      await stage.sidecar.stop('SIGKILL');
      await stage.agent.stop('SIGKILL');
    };
    await restart();
    await cp(state, `${state}.copy`, { recursive: true });
    const start = async (): Promise<void> => {
      void stage.restartSidecar().catch(() => null);
      stage.startAgent();
      await until(({ agents: [agent] }) => agent?.allowances?.[0]?.count === 4);
    };
    await start();
    for (const key of ['lost-1', 'lost-2', 'lost-3']) expect((await order(key)).body).toMatchObject({ state: 'permitted' });
    await restart();
    await rm(state, { recursive: true });
    await cp(`${state}.copy`, state, { recursive: true });
    await start();
    expect((await order('again-1')).body['code']).toBe('offline.counted');
    expect((await order('again-2')).body['code']).toBe('offline.counted');
    await back();
    expect((await ended('again-1')).body).toMatchObject({ state: 'settled' });
    expect((await money()).spent).toBe(500);
    expect(allowances(await statementNow())).toContain('allowance_closed ctr.gap');
  }, 90_000);
});

describe('a user who stops the carrier', () => {
  it('ends what was allowed offline at once, where the device hears of it', async () => {
    expect(await userOrder(stage.api, stage.user, 'freeze', stage.carrierId)).toBe('frozen');
    await until(({ agents: [agent] }) => agent?.allowances?.length === 0);
    await away();
    expect(await order('frozen')).toMatchObject({ status: 503, body: { code: 'link.offline' } });
    await stage.restartVerifier();
    await until(({ verifier }) => verifier.connected);
  }, 60_000);
});
