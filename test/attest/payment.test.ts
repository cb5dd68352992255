import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { open, seal } from '../../src/objects/signed.js';
import { parse, stringify } from '../../src/base/shape.js';
import { sha256, toB64u } from '../../src/base/bytes.js';
import type { Code } from '../../src/codes.js';
import type { AgentClaims } from '../../src/objects/claims.js';
import { EAR, ear } from '../../src/objects/ear.js';
import { type Evidence, type PaymentEvidence, type PlatformEvidence, bindingLeaf, binding as bindingShape, evidence as evidenceShape, evidenceHash, qualifyingData } from '../../src/objects/evidence.js';
import { logEntry } from '../../attest/log.js';
import type { KnownDevice, PaymentInput, PaymentResult, PlatformAppraisal } from '../../attest/types.js';
import { appraisePayment, appraisePlatform, earOf, keptOf } from '../../attest/verify/index.js';
import { recordWith } from '../support/appraisal.js';
import { MANIFEST, claimsFor, verifiedManifest } from '../support/agent.js';
import { TEST_POLICY, TestDevice } from '../support/device.js';
import { NOW, VERIFIER } from '../support/examples.js';
import { SIGNERS, keys } from '../support/keys.js';

let device: TestDevice;
let platform: PlatformEvidence;
let appraised: PlatformAppraisal;
let known: KnownDevice;
let good: Evidence;

beforeAll(async () => {
  device = await TestDevice.start();
  await device.measure('agent_start', { agent_id: 'example.shopper' });
  platform = await device.platform({ nonce: sha256('connection') });
  const result = appraisePlatform({ evidence: platform, log: device.delta(), nonce: sha256('connection'), aud: VERIFIER, device: device.known(), policy: TEST_POLICY, connection: true });
  appraised = result.appraisal;
  known = device.known({ clock: result.next!.clock, head: result.next!.head, latest: result.next!.head });
  await device.measure('agent_drift', { path: 'x' });
  good = await device.pay(platform, { logFrom: 2, seq: 10 });
});
afterAll(() => device.stop());

/** Expects what the binding says: the tests of wrong expectations override it. */
const input = (evidence: Evidence, overrides: Partial<PaymentInput> = {}): PaymentInput => {
  const { nonce, aud, paymentSha256, mandateSha256, closedSha256, jkt } = evidence.payment.binding;
  return { evidence, expected: { nonce, aud, paymentSha256, mandateSha256, closedSha256, jkt }, device: known, platform: keptOf(platform, appraised), manifest: device.manifest, policy: TEST_POLICY, ...overrides };
};
const appraise = (evidence: Evidence = good, overrides: Partial<PaymentInput> = {}): PaymentResult => appraisePayment(input(evidence, overrides));
function refusal(evidence: Evidence, overrides: Partial<PaymentInput> = {}): Code | 'accepted' {
  const result = appraise(evidence, overrides);
  if (result.authentic) return 'accepted';
  expect(result).toMatchObject({ status: 'contraindicated', tier: 'T0', next: null, platformAppraisal: null });
  expect(result.findings.map(({ code }) => code)).toEqual([result.code]);
  return result.code!;
}
const withPayment = (changes: Partial<PaymentEvidence>, from = good): Evidence => ({ ...from, payment: { ...from.payment, ...changes } });
const rootOf = (evidence: Evidence): Buffer => bindingLeaf(bindingShape, evidence.payment.binding);

describe('an honest payment', () => {
  it('is affirmed, and moves clock, sequence and log by exactly what is new', () => {
    const result = appraise();
    expect(result).toMatchObject({ authentic: true, code: null, status: 'affirming', tier: 'T2', simulated: true, findings: [], evidenceSha256: evidenceHash(good) });
    expect(result.next).toMatchObject({ clock: { seq: 10, ctr: appraised.ctr }, head: { nextN: 3 }, anchor: null });
    expect(result.next!.entries.map(({ n }) => n)).toEqual([2]);
  });

  it('travels as JSON and is the same evidence at the other end', () => {
    const arrived = parse(evidenceShape, stringify(evidenceShape, good));
    expect(appraise(arrived)).toEqual(appraise());
  });

  it('shares a signature with others: each of a batch is judged by its own place', async () => {
    const batch = await device.payAll(platform, [{ logFrom: 2 }, { logFrom: 2 }, { logFrom: 2 }]);
    let clock = known.clock;
    for (const evidence of batch) {
      const result = appraise(evidence, { device: { ...known, clock } });
      expect(result.authentic).toBe(true);
      clock = result.next!.clock;
    }
    expect(new Set(batch.map(({ payment }) => payment.register!.attest)).size).toBe(1);
  });

  it('is judged offline from the evidence and the earlier records alone', () => {
    const offline = { device: device.known(), platform: null };
    expect(appraise(good, { ...offline, earlier: device.log.slice(0, 2) })).toMatchObject({ authentic: true, status: 'affirming', tier: 'T2' });
    expect(refusal(good, offline)).toBe('log.gap');
    expect(refusal(good, { ...offline, earlier: [device.log[0]!, logEntry(1, '01d10300', { kind: 'agent_start', data: {} })] })).toBe('register.value');
  });

  it('becomes an EAR that is sealed and opened', () => {
    const ids = { iss: VERIFIER, aud: VERIFIER, jti: 'ear-1', verifier: { developer: 'https://ari-sidecar.example', build: 'test' } };
    const context = { evidence: good, device: device.record.value, manifest: MANIFEST, policy: TEST_POLICY, ids, sidecarVersion: '0.1.0', nowS: NOW };
    const claims = earOf({ ...context, result: appraise() })!;
    expect(open(EAR, seal(EAR, claims, SIGNERS.verifier), keys).value).toEqual(claims);
    expect(claims).toMatchObject({ earStatus: 'affirming', exp: NOW + 60, cnf: { jkt: good.payment.binding.jkt }, submods: { platform: { ariPlatform: { tier: 'T2', simulated: true } }, agent: { earStatus: 'affirming' } } });
    expect(JSON.parse(stringify(ear, claims))).toMatchObject({ ear_status: 'affirming', submods: { platform: { ear_trustworthiness_vector: { 'instance-identity': 2 } } } });
    expect(earOf({ ...context, result: appraise(good, { expected: { ...input(good).expected, nonce: sha256('other') } }) })).toBeNull();
  });
});

describe('what a payment binds', () => {
  it.each(['nonce', 'paymentSha256', 'mandateSha256', 'closedSha256', 'jkt'] as const)('is its %s: another one is refused', (member) => {
    expect(refusal(good, { expected: { ...input(good).expected, [member]: sha256('another') } })).toBe('binding.mismatch');
  });

  it('is its audience: evidence for another verifier is refused', () => {
    expect(refusal(good, { expected: { ...input(good).expected, aud: 'https://other.example' } })).toBe('binding.mismatch');
  });

  it('is signed: a binding changed to what is expected is refused', () => {
    const expected = { ...input(good).expected, paymentSha256: sha256('a larger payment') };
    expect(refusal(withPayment({ binding: { ...good.payment.binding, paymentSha256: expected.paymentSha256 } }), { expected })).toBe('quote.nonce');
  });

  it('is the agent as measured: claims that were cleaned up afterwards are refused', () => {
    const agent = { ...good.payment.agent, injection: { ...good.payment.agent.injection, tracerPid: 1 } };
    expect(refusal(withPayment({ agent }))).toBe('binding.mismatch');
  });

  it('is the platform part: a cached quote of another moment cannot be spliced in', async () => {
    const other = await device.platform({ nonce: sha256('other moment'), counter: false });
    expect(refusal({ ...good, platform: other })).toBe('binding.mismatch');
    const bound = await device.pay(other, { logFrom: 2 });
    expect(refusal(bound)).toBe('quote.missing');
  });

  it('is the log position: a delta that ends elsewhere is refused', () => {
    expect(refusal(withPayment({ log: { ...good.payment.log, entries: [] } }))).toBe('binding.mismatch');
  });

  it('is no counter when it was made online, known or not', async () => {
    expect(refusal(await device.pay(platform, { logFrom: 2, ctr: 999n }))).toBe('binding.mismatch');
    expect(refusal(await device.pay(platform, { logFrom: 2, ctr: known.clock!.ctr }))).toBe('binding.mismatch');
  });
});

describe('the signature of a payment', () => {
  it('is of the enrolled key', () => {
    expect(refusal({ ...good, akName: '00'.repeat(34) })).toBe('device.unknown');
    expect(refusal(good, { device: { ...known, state: 'revoked' } })).toBe('device.revoked');
  });

  it('was made for a payment: the register’s certification of a platform part is none', async () => {
    for (const kind of ['register', 'counter', 'quote'] as const) {
      expect(refusal(withPayment({ register: await device.certify('register', qualifyingData(kind, rootOf(good))) }))).toBe('quote.nonce');
    }
  });

  it('is over the register: a quote in its place, or beside it, is refused', async () => {
    const quote = await device.quote(qualifyingData('payment', rootOf(good)));
    expect(refusal(withPayment({ register: quote }))).toBe('register.type');
    expect(refusal(withPayment({ register: null, quote }))).toBe('register.missing');
    expect(refusal(withPayment({ quote }))).toBe('quote.malformed');
    expect(refusal(withPayment({ register: null }))).toBe('register.missing');
  });

  it('certifies the whole register, by its contents', async () => {
    const data = qualifyingData('payment', rootOf(good));
    expect(refusal(withPayment({ register: await device.certify('register', data, { size: 16, offset: 4 }) }))).toBe('register.range');
    expect(refusal(withPayment({ register: await device.certify('register', data, { size: 0, offset: 0 }) }))).toBe('register.type');
    expect(refusal(withPayment({ register: await device.certify('counter', data) }))).toBe('register.name');
  });

  it('covers one place in the batch: a binding replayed at another index, or under another size, is refused', async () => {
    const [first, second] = await device.payAll(platform, [{ logFrom: 2 }, { logFrom: 2 }, { logFrom: 2 }]) as [Evidence, Evidence];
    const moved = (batch: Partial<PaymentEvidence['batch']>) => withPayment({ batch: { ...first.payment.batch, ...batch } }, first);
    expect(refusal(moved({ index: 1 }))).toBe('quote.nonce');
    expect(refusal(moved({ path: second.payment.batch.path }))).toBe('quote.nonce');
    expect(refusal(moved({ index: 3 }))).toBe('batch.path');
    expect(refusal(moved({ size: 1, path: [] }))).toBe('quote.nonce');
    expect(refusal(moved({ size: 1 }))).toBe('batch.path');
  });
});

describe('the order of payments', () => {
  it('is strict: a sequence number that was seen is refused, also in the same millisecond', () => {
    const clock = { ...known.clock!, seq: 10 };
    expect(refusal(good, { device: { ...known, clock } })).toBe('clock.sequence');
    expect(refusal(good, { device: { ...known, clock: appraise().next!.clock } })).toBe('clock.sequence');
  });

  it('follows the TPM’s clock: a payment older than what is known is refused', () => {
    expect(refusal(good, { device: { ...known, clock: { ...known.clock!, clock: 1n << 60n } } })).toBe('clock.rewound');
    expect(refusal(good, { device: { ...known, clock: { ...known.clock!, resetCount: known.clock!.resetCount + 1 } } })).toBe('clock.reset_decreased');
  });

  it('needs the firmware that was enrolled', () => {
    expect(refusal(good, { device: { ...known, record: recordWith(device, { firmware: 1n }) } })).toBe('quote.firmware');
  });
});

describe('the platform of a payment', () => {
  it('is quoted in the same boot and not too long before, by the TPM’s clock', () => {
    const age = appraise().next!.clock.clock - appraised.clock;
    expect(refusal(good, { policy: { ...TEST_POLICY, platformMaxAgeMs: Number(age) - 1 } })).toBe('quote.stale');
    expect(refusal(good, { policy: { ...TEST_POLICY, platformMaxAgeMs: Number(age) } })).toBe('accepted');
    expect(refusal(good, { platform: keptOf(platform, { ...appraised, clock: appraised.clock + age + 1n }) })).toBe('quote.stale');
    expect(refusal(good, { platform: keptOf(platform, { ...appraised, restartCount: appraised.restartCount + 1 }) })).toBe('clock.mismatch');
  });

  it('is this device’s, authentic and kept under its hash', () => {
    expect(refusal(good, { platform: keptOf(platform, { ...appraised, akName: 'ff'.repeat(34) }) })).toBe('quote.missing');
    expect(refusal(good, { platform: keptOf(platform, { ...appraised, platformSha256: sha256('x') }) })).toBe('quote.missing');
    expect(refusal(good, { platform: keptOf(platform, { ...appraised, authentic: false, findings: [{ code: 'quote.signature', message: 'x' }] }) })).toBe('quote.signature');
  });

  it('lends its findings to the payment: a warning there is one here', () => {
    const lowered = { ...appraised, findings: [{ code: 'ctr.missing' as const, message: 'the certified counter is missing' }] };
    expect(appraise(good, { platform: keptOf(platform, { ...appraised, tier: 'T1' }) }).tier).toBe('T1');
    expect(appraise(good, { platform: keptOf(platform, lowered) })).toMatchObject({ authentic: true, status: 'warning', code: 'ctr.missing', platform: { status: 'warning', vector: { configuration: 36 } } });
  });

  it('inside evidence that is judged offline is judged too', () => {
    const offline = { device: device.known(), platform: null, earlier: device.log.slice(0, 2) };
    const other = (changes: Partial<PlatformEvidence>): Evidence => ({ ...good, platform: { ...platform, ...changes } });
    expect(refusal(other({ quote: { ...platform.quote, pcrs: { ...platform.quote.pcrs, '7': '00'.repeat(32) } } }), offline)).toBe('binding.mismatch');
    expect(refusal(good, { ...offline, policy: { ...TEST_POLICY, pcrs: [0, 4] } })).toBe('quote.selection');
  });
});

describe('the log of a payment', () => {
  it('continues the known one: gap, truncation and another epoch are refused', async () => {
    await device.measure('separator');
    expect(refusal(await device.pay(platform, { logFrom: 3 }))).toBe('log.gap');
    expect(refusal(good, { device: { ...known, head: { ...known.head!, nextN: 9 } } })).toBe('log.truncated');
    expect(refusal(good, { device: { ...known, head: { ...known.head!, epoch: sha256('x') } } })).toBe('log.fork');
  });

  it('is the only one of its boot: a payment cannot begin a second one', () => {
    const whole = withPayment({ log: device.delta(0) });
    expect(refusal({ ...whole, payment: { ...whole.payment, log: { ...whole.payment.log, entries: device.log.slice(0, 3) } } }, { device: { ...known, head: null } })).toBe('log.anchor');
  });

  it('is the one that the register holds: redefined and rewritten with a clean history, it is refused (fork)', async () => {
    const honest = device.log;
    const clean = honest.slice(0, 1);
    await device.rewriteRegister(clean);
    expect(refusal(await device.pay(platform, { logFrom: 0 }))).toBe('log.truncated');
    await device.measure('agent_start', { agent_id: 'example.shopper', clean: true });
    await device.measure('separator');
    expect(refusal(await device.pay(platform, { logFrom: 0 }))).toBe('log.fork');
    expect(refusal(await device.pay(platform, { logFrom: 2 }))).toBe('register.value');
    await device.rewriteRegister(honest);
    expect(refusal(await device.pay(platform, { logFrom: 2 }))).toBe('accepted');
  });
});

describe('the agent of a payment', () => {
  const judge = async (change: (claims: AgentClaims) => AgentClaims, overrides: Partial<PaymentInput> = {}): Promise<PaymentResult> =>
    appraise(await device.pay(platform, { logFrom: 2, agent: change(claimsFor(device.manifest)) }), overrides);

  it('is judged whole: all findings are there, the first of the table names the payment', async () => {
    const result = await judge((claims) => ({ ...claims, exe: { ...claims.exe, sha256: sha256('other'), replaced: true }, injection: { ...claims.injection, tracerPid: 42, inspector: true } }));
    expect(result).toMatchObject({ authentic: true, status: 'contraindicated', code: 'agent.exe_unknown', platform: { status: 'affirming' }, agent: { status: 'contraindicated', vector: { executables: 96 } } });
    expect(result.agent.findings.map(({ code }) => code)).toEqual(['agent.exe_unknown', 'agent.exe_replaced', 'agent.traced', 'agent.inspector']);
    expect(result.next).not.toBeNull();
  });

  it('is the authorised version: another tree is contraindicated', async () => {
    const result = await judge((claims) => ({ ...claims, tree: { ...claims.tree, sha256: sha256('other tree'), drift: [{ path: 'shopper.mjs', kind: 'changed', sha256: sha256('x') }] } }));
    expect(result).toMatchObject({ status: 'contraindicated', code: 'agent.version_not_authorised', agent: { vector: { executables: 96, 'file-system': 32 } } });
  });

  it('is measured against the manifest that the mandate names, and known by its name', async () => {
    const other = verifiedManifest({ ...MANIFEST, jti: 'manifest-2' });
    expect(appraise(good, { manifest: other })).toMatchObject({ status: 'contraindicated', code: 'agent.version_not_authorised' });
    expect(await judge((claims) => ({ ...claims, agentId: 'example.other' }))).toMatchObject({ code: 'agent.version_not_authorised' });
    expect(appraise(good, { manifest: null })).toMatchObject({ status: 'contraindicated', code: 'agent.manifest' });
  });

  it('never gets a claim from what the process says of itself: attach mode leaves the configuration unclaimed', async () => {
    expect(appraise().agent.vector).not.toHaveProperty('configuration');
    expect((await judge((claims) => ({ ...claims, mode: 'launch' }))).agent.vector).toMatchObject({ configuration: 2 });
  });
});

describe('malformed bytes', () => {
  it.each([['an empty one', ''], ['text', toB64u(Buffer.from('hello'))]])('in place of a signature are refused: %s', (_, signature) => {
    expect(refusal(withPayment({ register: { ...good.payment.register!, signature } }))).toBe('quote.malformed');
  });
});
