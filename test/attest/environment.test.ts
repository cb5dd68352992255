import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sha256 } from '../../src/base/bytes.js';
import { decode, encode, parse, stringify } from '../../src/base/shape.js';
import type { AgentClaims } from '../../src/objects/claims.js';
import { findingShape } from '../../src/objects/ear.js';
import { ENVIRONMENTS, type EnvironmentPolicy, environmentPolicy, WEIGHTS } from '../../src/objects/environment.js';
import { environmentBreaches } from '../../attest/environment.js';
import type { PaymentResult, PlatformAppraisal } from '../../attest/types.js';
import { appraisePayment, appraisePlatform, keptOf } from '../../attest/verify/index.js';
import type { PlatformEvidence } from '../../src/objects/evidence.js';
import { parseTrust, trustFile } from '../../src/objects/trust.js';
import { verifyBundle } from '../../attest/bundle.js';
import { claimsFor } from '../support/agent.js';
import { buildBundle, type Changes } from '../support/bundle.js';
import { KEYS_FILE, startDevice } from '../support/parties.js';
import { TEST_POLICY, TestDevice } from '../support/device.js';
import { VERIFIER } from '../support/examples.js';
import { claimsOf, cleanSnapshot } from './support/agent.js';

type Part<K extends 'kernel' | 'process'> = Partial<AgentClaims[K]>;
const claims = ({ kernel = {}, process = {}, mode = 'launch' }: { kernel?: Part<'kernel'>; process?: Part<'process'>; mode?: AgentClaims['mode'] } = {}, from = claimsOf(cleanSnapshot())): AgentClaims =>
  ({ ...from, mode, kernel: { ...from.kernel, tainted: 0, lockdown: 'integrity', ptraceScope: 1, signedModules: true, ...kernel }, process: { ...from.process, capEff: '0000000000000000', noNewPrivs: true, seccomp: 2, unit: 'shopper.service', envNames: ['HOME', 'PATH'], ...process } });
const codes = (of: AgentClaims, policy: EnvironmentPolicy | undefined): string[] => environmentBreaches(of, policy).map(({ finding: { code } }) => code);

const otherwise = 'warning' as const;
/** A row, claims in which it holds, in which it is broken, and in which the fact is lacking. */
const ROWS: [string, EnvironmentPolicy, string, Parameters<typeof claims>[0][], Parameters<typeof claims>[0][], Parameters<typeof claims>[0][]][] = [
  ['ptrace scope', { ptraceScope: { min: 2, otherwise } }, 'agent.host_ptrace', [{ kernel: { ptraceScope: 2 } }, { kernel: { ptraceScope: 3 } }], [{ kernel: { ptraceScope: 0 } }, { kernel: { ptraceScope: 1 } }], [{ kernel: { ptraceScope: null } }]],
  ['lockdown', { lockdown: { min: 'integrity', otherwise } }, 'agent.host_lockdown', [{ kernel: { lockdown: 'integrity' } }, { kernel: { lockdown: 'confidentiality' } }], [{ kernel: { lockdown: 'none' } }], [{ kernel: { lockdown: null } }]],
  ['full lockdown', { lockdown: { min: 'confidentiality', otherwise } }, 'agent.host_lockdown', [{ kernel: { lockdown: 'confidentiality' } }], [{ kernel: { lockdown: 'integrity' } }], [{ kernel: { lockdown: null } }]],
  ['signed modules', { signedModules: { otherwise } }, 'agent.host_modules', [{ kernel: { signedModules: true } }], [{ kernel: { signedModules: false } }], [{ kernel: { signedModules: null } }]],
  ['taint', { tainted: { allowed: ['P', 'W'], otherwise } }, 'agent.host_tainted', [{ kernel: { tainted: 0 } }, { kernel: { tainted: 1 | (1 << 9) } }], [{ kernel: { tainted: 1 << 12 } }, { kernel: { tainted: 2 ** 40 } }], [{ kernel: { tainted: null } }]],
  ['capabilities', { capabilities: { allowed: ['CAP_NET_BIND_SERVICE'], otherwise } }, 'agent.privileged', [{ process: { capEff: '0000000000000400' } }], [{ process: { capEff: '0000000000200000' } }, { process: { capEff: '8000000000000000' } }], []],
  ['new privileges', { noNewPrivs: { otherwise } }, 'agent.new_privileges', [{ process: { noNewPrivs: true } }], [{ process: { noNewPrivs: false } }], []],
  ['seccomp', { seccomp: { otherwise } }, 'agent.unfiltered', [{ process: { seccomp: 1 } }, { process: { seccomp: 2 } }], [{ process: { seccomp: 0 } }], []],
  ['unit', { unit: { allowed: ['shopper.service'], otherwise } }, 'agent.unit', [{ process: { unit: 'shopper.service' } }], [{ process: { unit: 'user@1000.service/shopper.service' } }], [{ process: { unit: null } }]],
  ['variables', { variables: { allowed: ['HOME', 'PATH'], otherwise } }, 'agent.variables', [{}, { process: { envNames: [] } }], [{ process: { envNames: ['HOME', 'EXTRA'] } }],
    [{ process: { envNames: Array.from({ length: 128 }, () => 'HOME') } }, { mode: 'attach', process: { envNames: [] } }]],
];

describe('a row of what is asked of the surroundings', () => {
  describe.each(ROWS)('%s', (_, policy, code, held, broken, lacking) => {
    it('holds', () => {
      for (const change of held) expect(codes(claims(change), policy), JSON.stringify(change)).toEqual([]);
    });
    it('is broken', () => {
      for (const change of broken) expect(codes(claims(change), policy), JSON.stringify(change)).toEqual([code]);
    });
    it.skipIf(lacking.length === 0)('does not hold where the fact is lacking', () => {
      for (const change of lacking) expect(codes(claims(change), policy), JSON.stringify(change)).toEqual([code]);
    });
    it('is not asked where the policy does not name it', () => {
      for (const change of [...broken, ...lacking]) expect(codes(claims(change), {})).toEqual([]);
    });
  });

  it('names what is beyond it, in words that can be signed', () => {
    const [breach] = environmentBreaches(claims({ process: { capEff: 'ffffffffffffffff', unit: 'evil\n.service' } }), { capabilities: { allowed: [], otherwise } });
    expect(breach!.finding.message).toMatch(/CAP_CHOWN .*CAP_CHECKPOINT_RESTORE bit 41/);
    for (const { finding } of environmentBreaches(claims({ process: { capEff: 'ffffffffffffffff', unit: 'evil\n.service' } }), { ...ENVIRONMENTS.strict, unit: { allowed: [], otherwise } })) expect(decode(findingShape, encode(findingShape, finding))).toEqual(finding);
  });

  it('of no table is noted all the same', () => {
    expect(environmentBreaches(claims(), undefined)).toEqual([]);
    expect(environmentBreaches(claims({ kernel: { lockdown: null, tainted: 1 << 13 }, process: { capEff: '000001ffffffffff' } }), undefined).map(({ finding: { code }, weight }) => [code, weight])).toEqual([['agent.privileged', 'note'], ['agent.host_open', 'note']]);
  });
});

describe('the shipped tables', () => {
  it('can be signed', () => {
    for (const table of Object.values(ENVIRONMENTS)) expect(decode(environmentPolicy, encode(environmentPolicy, table))).toEqual(table);
  });

  it('are those of the page, whose example can be signed too', () => {
    const page = readFileSync(new URL('../../docs/policy.md', import.meta.url), 'utf8');
    for (const name of Object.keys(encode(environmentPolicy, ENVIRONMENTS.strict) as object)) expect(page).toContain(`| \`${name}`);
    const [, example = ''] = /```json\n(.*)\n```/.exec(page) ?? [];
    expect(parse(environmentPolicy, example)).toMatchObject({ ptraceScope: { min: 2 }, unit: { allowed: ['florist.service'] } });
  });

  it('let an ordinary machine with Yama pass, and count one with an open kernel for no more than T2', () => {
    const ordinary = claims({ kernel: { lockdown: 'none', signedModules: false, tainted: 1 }, process: { noNewPrivs: false, seccomp: 0 } });
    expect(environmentBreaches(ordinary, ENVIRONMENTS.none)).toEqual([]);
    expect(environmentBreaches(ordinary, ENVIRONMENTS.production).map(({ weight }) => weight)).toEqual(['tier', 'tier', 'note', 'note']);
    expect(environmentBreaches(ordinary, ENVIRONMENTS.strict).map(({ weight }) => weight)).toEqual(['contraindicated', 'contraindicated', 'contraindicated', 'contraindicated', 'contraindicated', 'warning']);
  });
});

describe('the weight of a row that does not hold', () => {
  let device: TestDevice;
  let platform: PlatformEvidence;
  let appraised: PlatformAppraisal;
  beforeAll(async () => {
    device = await TestDevice.start();
    platform = await device.platform({ nonce: sha256('environment') });
    appraised = appraisePlatform({ evidence: platform, log: device.delta(), nonce: sha256('environment'), aud: VERIFIER, device: device.known(), policy: TEST_POLICY, connection: true }).appraisal;
  });
  afterAll(() => device.stop());

  async function paid(environment: EnvironmentPolicy | null, change: Parameters<typeof claims>[0] = { kernel: { lockdown: 'none' } }): Promise<PaymentResult> {
    const evidence = await device.pay(platform, { logFrom: 0, agent: claims(change, claimsFor(device.manifest)) });
    const { nonce, aud, paymentSha256, mandateSha256, closedSha256, jkt } = evidence.payment.binding;
    return appraisePayment({
      evidence, expected: { nonce, aud, paymentSha256, mandateSha256, closedSha256, jkt }, device: device.known(), platform: keptOf(platform, { ...appraised, tier: 'T3' }), manifest: device.manifest,
      policy: { ...TEST_POLICY, ...(environment === null ? {} : { environment }) },
    });
  }

  it.each([
    ['note', { status: 'affirming', tier: 'T3', code: null }],
    ['tier', { status: 'affirming', tier: 'T2', code: null }],
    ['warning', { status: 'warning', tier: 'T3', code: 'agent.host_lockdown' }],
    ['contraindicated', { status: 'contraindicated', tier: 'T3', code: 'agent.host_lockdown' }],
  ] as const)('%s', async (weight, expected) => {
    const table: EnvironmentPolicy = { lockdown: { min: 'integrity', otherwise: weight } };
    expect(await paid(table)).toMatchObject({ authentic: true, ...expected, findings: [{ code: 'agent.host_lockdown' }] });
    expect(await paid(table, {})).toMatchObject({ status: 'affirming', tier: 'T3', findings: [] });
  });

  it('is nothing without a table, and none is missing above', async () => {
    expect(await paid(null)).toMatchObject({ status: 'affirming', tier: 'T3', code: null, findings: [{ code: 'agent.host_open' }] });
    expect(await paid({})).toMatchObject({ status: 'affirming', tier: 'T3', findings: [] });
    expect(WEIGHTS).toEqual(['note', 'tier', 'warning', 'contraindicated']);
  });

  it('is that of the worst row', async () => {
    const table: EnvironmentPolicy = { lockdown: { min: 'integrity', otherwise: 'contraindicated' }, ptraceScope: { min: 2, otherwise: 'warning' }, seccomp: { otherwise: 'tier' } };
    const result = await paid(table, { kernel: { lockdown: 'none', ptraceScope: 0 }, process: { seccomp: 0 } });
    expect(result).toMatchObject({ status: 'contraindicated', tier: 'T2', agent: { vector: { configuration: 96 } } });
    expect(result.findings.map(({ code }) => code)).toEqual(['agent.host_ptrace', 'agent.host_lockdown', 'agent.unfiltered']);
  });
});

describe('a bundle whose policy weighs the surroundings', () => {
  let device: TestDevice;
  beforeAll(async () => { device = await startDevice(); });
  afterAll(() => device.stop());
  const open: Changes = { claims: (value) => claims({ kernel: { lockdown: 'none' } }, value) };
  const asked = (weight: 'warning' | 'contraindicated' | 'note'): Changes => ({ policy: (value) => ({ ...value, environment: { lockdown: { min: 'integrity', otherwise: weight } } }) });
  const edge = ({ text }: { text: string }): string | null => verifyBundle(text, parseTrust(stringify(trustFile, KEYS_FILE))).firstBroken;

  it.each([['note', 'permit'], ['warning', 'confirm'], ['contraindicated', 'deny']] as const)('is replayed offline: %s is %s', async (weight, decision) => {
    const built = await buildBundle(device, { ...open, ...asked(weight) });
    expect(built.ruling.decision).toBe(decision);
    expect(edge(built)).toBeNull();
  });

  it('breaks where the verifier said better of the agent than its policy has it', async () => {
    const { ruling } = await buildBundle(device, {});
    const better: Changes = { ear: (value) => ({ ...value, earStatus: 'affirming' }), ruling };
    expect(edge(await buildBundle(device, { ...open, ...asked('warning'), ...better }))).toBe('ear-evidence');
    expect(edge(await buildBundle(device, { ...open, ...asked('note'), ...better }))).toBeNull();
  });
});
