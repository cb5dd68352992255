/** The demo's story: what happens, in order, and what must come of it. Each step is a row; a step whose outcome differs fails the demo. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { verifyBundle } from '../../attest/bundle.js';
import { parse } from '../../src/base/shape.js';
import { bundle } from '../../src/objects/bundle.js';
import { parseTrust } from '../../src/objects/trust.js';
import { confirmPayment, paymentIntent } from '../actions.js';
import { word } from '../output.js';
import { replay } from './replay.js';
import type { Answer, Stage } from './stage.js';

export interface Outcome { outcome: string; code: string | null; /** For people: what was seen. */ seen: string }
export interface Step { name: string; /** What a person reads before it happens. */ tells: string; expected: string; code: string | null; run: (on: Telling) => Promise<Outcome> }

/** What the steps hand on. */
export interface Telling { stage: Stage; bundles: string; saved: Map<string, string>; l2: string; pending: string; tier: string }

const plain = (outcome: string, seen: string, code: string | null = null): Outcome => ({ outcome, code, seen });

/** The agent's answer as an outcome; its bundle is written to the folder. */
async function said(on: Telling, file: string, { body, bundle: text }: Answer): Promise<Outcome> {
  const payment = (body['payment'] ?? body) as Record<string, unknown>;
  if (text !== null && text.includes('"ari-bundle-1"')) {
    on.saved.set(file, text);
    await writeFile(join(on.bundles, `${file}.ari.json`), text);
  }
  const ms = Object.entries((payment['ms'] ?? {}) as Record<string, string>).map(([stage, time]) => `${stage} ${Number(time).toFixed(1)}`).join(', ');
  const code = (payment['code'] ?? body['code'] ?? null) as string | null;
  return plain(word(payment['state'] ?? 'refused'), `${word(payment['message'] ?? body['detail'] ?? `settled at tier ${word(payment['tier'])}`)}${ms ? `  [ms: ${ms}]` : ''}`, code);
}

const order = (name: string, tells: string, expected: string, code: string | null, what: { key: string; amount: number; payee?: string }): Step => ({
  name, tells, expected, code, run: async (on) => said(on, what.key, await on.stage.order(what)),
});

const SETTING: Step[] = [
  { name: 'tpm', tells: 'A software TPM is manufactured, with certificates for its endorsement keys.', expected: 'ready', code: null,
    run: async ({ stage }) => { await stage.startTpm(); return plain('ready', stage.tpm.spec.replace(stage.dir, '')); } },
  { name: 'verifier', tells: 'A verifier starts as a process of its own. It trusts the publisher of the agent, and this TPM for the demo only.', expected: 'ready', code: null,
    run: async ({ stage }) => { await stage.startVerifier(); await stage.createUser(); return plain('ready', `${stage.url}, user ${stage.user.userId}`); } },
  { name: 'enrolment', tells: 'The sidecar starts and enrols the TPM with the one-time code of the user: only the TPM behind the certificate can answer.', expected: 'enrolled', code: null,
    run: async (on) => {
      const status = await on.stage.startSidecar();
      on.tier = status.tier;
      return plain(status.deviceId === null ? 'unknown' : 'enrolled', `${status.deviceId ?? ''}, tier ${status.tier}, simulated`);
    } },
  { name: 'mandate', tells: 'The user opens a carrier of 1000 yuan and signs: this agent version may order bouquets for one task, at most 200 yuan each (L3).', expected: 'accepted', code: null,
    run: async (on) => {
      await on.stage.openCarrier();
      const mandate = await on.stage.signMandate({});
      on.stage.startAgent();
      return plain('accepted', mandate);
    } },
];

const PAYMENTS: Step[] = [
  order('permitted', 'The agent orders a bouquet for 128 yuan. It is measured, the TPM signs, the verifier decides.', 'settled', null, { key: 'bouquet', amount: 12_800 }),
  order('over-limit', 'It tries a bouquet for 300 yuan.', 'denied', 'mandate.amount', { key: 'too-dear', amount: 30_000 }),
  order('unknown-payee', 'It tries to pay somebody else.', 'denied', 'mandate.payee', { key: 'stranger', amount: 9_900, payee: 'stranger' }),
  { name: 'confirmation-needed', tells: 'The user also signed a mandate of level L2: the agent may prepare, the user confirms. The agent orders for 99 yuan.', expected: 'confirm_required', code: 'decision.confirm_needed',
    run: async (on) => {
      on.l2 = await on.stage.signMandate({ level: 'L2', taskId: 'birthday', summary: 'flowers that I confirm myself', maxPayments: 1 });
      const answer = await on.stage.order({ key: 'ask-me', amount: 9_900, mandateId: on.l2 });
      on.pending = word(answer.body['payment_id']);
      return said(on, 'ask-me-1', answer);
    } },
  { name: 'confirmed', tells: 'The user looks at what the verifier holds and signs consent. The agent asks again: a new attempt, measured and proven anew.', expected: 'settled', code: null,
    run: async (on) => {
      await confirmPayment(on.stage.api, on.stage.user, on.pending, await paymentIntent(on.stage.api, on.pending));
      const answer = await again(on, { key: 'ask-me', amount: 9_900, mandateId: on.l2 });
      return said(on, 'ask-me-2', answer);
    } },
  { name: 'changed-program', tells: "Someone changes the agent's program on disk and the agent is restarted. Key, socket and user are the same as before.", expected: 'denied', code: 'agent.version_not_authorised',
    run: async (on) => {
      const file = join(on.stage.agentDir, 'ask.mjs');
      await on.stage.agent.stop();
      await writeFile(file, `${await readFile(file, 'utf8')}\n// pays somebody else from Tuesday on\n`);
      on.stage.startAgent();
      return said(on, 'changed', await on.stage.order({ key: 'changed', amount: 5_000 }));
    } },
  { name: 'replay', tells: 'A compromised sidecar, with the true TPM behind it, sends the evidence of the first bouquet once more over a WebSocket of its own.', expected: 'refused', code: 'nonce.used',
    run: async (on) => {
      await on.stage.sidecar.stop();
      const { decision, code } = await replay(on.stage.sidecarConfig, on.saved.get('bouquet') ?? '');
      return plain(decision === 'deny' ? 'refused' : decision, `the verifier denied and deposited it`, code);
    } },
];

/** The confirmation is pushed to the device: its agent asks with the same key until the new attempt is made. */
async function again(on: Telling, what: Parameters<Stage['order']>[0]): Promise<Answer> {
  for (let tries = 0; tries < 100; tries++) {
    const answer = await on.stage.order(what);
    if (answer.body['state'] !== 'confirm_required') return answer;
    await new Promise((done) => setTimeout(done, 20));
  }
  return on.stage.order(what);
}

const CHECKS: Step[] = [
  { name: 'offline-verification', tells: 'A stranger checks every bundle, offline, with nothing but the public keys.', expected: 'verified', code: null,
    run: async (on) => {
      await on.stage.fetchKeys();
      const keys = await readFile(on.stage.keysFile, 'utf8');
      await writeFile(join(on.bundles, 'keys.json'), keys);
      const trust = parseTrust(keys);
      const broken = [...on.saved].map(([file, saved]) => ({ file, report: verifyBundle(saved, trust) })).filter(({ report }) => !report.ok);
      const first = broken[0];
      return plain(first ? 'broken' : 'verified', first ? `${first.file}: edge ${first.report.firstBroken ?? '?'}` : `${on.saved.size} bundles, every edge of each`);
    } },
  { name: 'one-byte', tells: 'One character of the first receipt is changed.', expected: 'edge receipt-execution', code: 'bundle.edge',
    run: async (on) => {
      const trust = parseTrust(await readFile(on.stage.keysFile, 'utf8'));
      const report = verifyBundle(tampered(on.saved.get('bouquet') ?? ''), trust);
      const edge = report.edges.find(({ ok }) => !ok);
      return plain(edge ? `edge ${edge.edge}` : 'nothing noticed', edge?.what ?? '', edge ? 'bundle.edge' : null);
    } },
];

/** The bundle with one character of its receipt's signed part changed. */
function tampered(text: string): string {
  const receipt = parse(bundle, text, 'bundle').receipt ?? '';
  const at = text.indexOf(receipt) + receipt.indexOf('.') + 20;
  return `${text.slice(0, at)}${text[at] === 'A' ? 'B' : 'A'}${text.slice(at + 1)}`;
}

export const STORY: Step[] = [...SETTING, ...PAYMENTS, ...CHECKS];
