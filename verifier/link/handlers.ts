/** What a device may say, and when: one row per message. A message that comes in another stage is refused, and nothing changes. */
import { Fault, fault } from '../../src/base/fault.js';
import type { DeviceMessage, LinkBody } from '../../src/link.js';
import { paymentHash } from '../../src/objects/intent.js';
import { storedAnswer } from '../answer.js';
import { freshId, type Verifier } from '../context.js';
import { decide } from '../decide.js';
import { beginEnrolment, proveEnrolment } from '../enrol.js';
import { imaAfter, keptIma, takePiece } from '../imalists.js';
import { leafDraft } from '../leaves.js';
import { askAllowance } from '../offline/ask.js';
import { bring } from '../offline/bring.js';
import { returnAllowances } from '../offline/close.js';
import { takePlatform } from '../platform.js';
import type { Connection, Stage, StageName } from './connection.js';
import { deliver } from './deliver.js';
import { takeManifest, welcome } from './welcome.js';

type Type = DeviceMessage['type'];
type In<S extends StageName> = Extract<Stage, { name: S }>;
interface Call<T extends Type, S extends StageName> { readonly v: Verifier; readonly connection: Connection; readonly stage: In<S>; readonly body: LinkBody<T>; readonly id: string }
interface Row { readonly stages: readonly StageName[]; readonly handle: (call: never) => Promise<void> }
const on = <T extends Type, S extends StageName>(_type: T, stages: readonly S[], handle: (call: Call<T, S>) => Promise<void>): Row => ({ stages, handle });

const HANDLERS: { readonly [T in Type]: Row } = {
  hello: on('hello', ['new'], async ({ v, connection, body }) => {
    connection.stage = { name: 'stranger', hello: body };
    connection.send('policy', { policy: v.trust.policy().token });
    connection.givePlatformNonces(1);
  }),

  enrol_begin: on('enrol_begin', ['stranger'], async ({ v, connection, stage, body, id }) => {
    const { enrolling, challenge } = await beginEnrolment(v, stage.hello.akName, body).catch((error: unknown) => connection.wrongCode(error));
    connection.stage = { name: 'enrolling', hello: stage.hello, enrolling };
    connection.send('enrol_challenge', challenge, id);
  }),

  /** One try: a wrong answer needs a new session. */
  enrol_proof: on('enrol_proof', ['enrolling'], async ({ v, connection, stage, body, id }) => {
    connection.stage = { name: 'stranger', hello: stage.hello };
    const { deviceId, akName, result } = await proveEnrolment(v, stage.enrolling, { ...body, log: connection.pages.end(body.log) });
    connection.knowIma(imaAfter(v, result, body.evidence.ima !== null, null));
    await welcome(v, connection, { deviceId, akName, hello: stage.hello, tier: result.appraisal.tier, re: id });
  }),

  platform: on('platform', ['stranger', 'proven'], async ({ v, connection, stage, body, id }) => {
    const device = await v.store.deviceByAk(stage.hello.akName ?? '');
    if (!device) throw fault('device.unknown', { akName: stage.hello.akName ?? 'none' });
    const isNew = stage.name === 'stranger';
    const fresh = connection.spend(body.evidence.binding.nonce);
    if (!isNew) connection.givePlatformNonces(1);
    const known = isNew ? await keptIma(v, device.akName) : connection.ima;
    const result = await takePlatform(v, device, { ...body, log: connection.pages.end(body.log) }, { fresh, connection: isNew, ima: known?.standing ?? null });
    connection.knowIma(imaAfter(v, result, body.evidence.ima !== null, known));
    if (isNew) return welcome(v, connection, { deviceId: device.deviceId, akName: device.akName, hello: stage.hello, tier: result.appraisal.tier, re: id });
    connection.send('ack', {}, id);
  }),

  /** Decided in the order of arrival, because a device's sequence only rises; deposited and settled beside each other, so that payments share a log step. */
  payment: on('payment', ['proven'], async ({ v, connection, stage, body, id }) => {
    const answer = await decide(v, await deviceOf(v, stage), body, stage.hello.build);
    connection.givePaymentNonces(1);
    connection.track(deliver(v, connection, answer, id), id);
  }),

  /** Payments that were made offline, in the order in which they come. */
  offline: on('offline', ['proven'], async ({ v, connection, stage, body, id }) => {
    const answer = await bring(v, await deviceOf(v, stage), body, stage.hello.build);
    connection.track(deliver(v, connection, answer, id), id);
  }),

  allowance_return: on('allowance_return', ['proven'], async ({ v, connection, stage, id }) => {
    await returnAllowances(v, stage.deviceId);
    connection.send('ack', {}, id);
  }),

  allowance_ask: on('allowance_ask', ['proven'], async ({ v, connection, stage, body, id }) => {
    connection.send('allowance', { allowance: await askAllowance(v, await deviceOf(v, stage), body.mandateId, stage.tier) }, id);
  }),

  refusal: on('refusal', ['proven'], async ({ v, connection, stage, body, id }) => {
    const draft = leafDraft(v, { kind: 'refused', chain: stage.deviceId, code: body.code, payment: paymentHash(body.intent) });
    await v.log.record({ eventId: freshId(v, 'evt'), draft }, v.now());
    connection.send('ack', {}, id);
  }),

  /** Nothing of it is kept before a certified register covers it. */
  log_append: on('log_append', ['stranger', 'enrolling', 'proven'], async ({ v, connection, stage, body: { log }, id }) => {
    const device = await v.store.deviceByAk(stage.hello.akName ?? '');
    if (!device && stage.name !== 'enrolling') throw fault('device.unknown', { akName: stage.hello.akName ?? 'none' });
    const head = device && (await v.store.logHead(device.deviceId, log.epoch));
    connection.pages.add(log, head?.nextN ?? 0);
    connection.send('ack', {}, id);
  }),

  /** A proven device alone: judging a long list is work. */
  ima_append: on('ima_append', ['proven'], async ({ v, connection, body, id }) => {
    connection.knowIma(takePiece(v, connection.ima, body), id);
  }),

  manifest: on('manifest', ['proven'], async ({ v, connection, stage, body, id }) => {
    await takeManifest(v, connection, stage, body);
    connection.send('ack', {}, id);
  }),

  /** The stored answer of a payment of this device, and its result if it has one. */
  settle_query: on('settle_query', ['proven'], async ({ v, connection, stage, body: { paymentId }, id }) => {
    const payment = await v.store.payment(paymentId);
    const last = payment?.deviceId === stage.deviceId ? (await v.store.attempts(paymentId)).at(-1) : undefined;
    if (!payment || !last) throw fault('intake.not_found', { what: `payment ${paymentId}` });
    connection.track(deliver(v, connection, await storedAnswer(v, payment, last), id), id);
  }),

  ack: on('ack', ['stranger', 'enrolling', 'proven'], () => Promise.resolve()),
};

async function deviceOf(v: Verifier, { akName }: In<'proven'>) {
  const device = await v.store.deviceByAk(akName);
  if (device?.state !== 'enrolled') throw fault('device.revoked', { state: device?.state ?? 'unknown' });
  return device;
}

/** @throws Fault link.protocol for a message that has no place in this stage; whatever its handler throws */
export async function dispatch(v: Verifier, connection: Connection, { type, id, body }: DeviceMessage): Promise<void> {
  const { stages, handle } = HANDLERS[type];
  if (!stages.includes(connection.stage.name)) throw new Fault('link.protocol', { what: `${type} from a device that is ${connection.stage.name}` });
  await (handle as (call: unknown) => Promise<void>)({ v, connection, stage: connection.stage, body, id });
}
