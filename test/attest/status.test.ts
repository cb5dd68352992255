import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CODES, type Code } from '../../src/codes.js';
import type { Finding } from '../../src/base/fault.js';
import { inOrder, statusOf, submodule, weighing, weighs, worst } from '../../attest/verify/status.js';

const codes = Object.entries(CODES).filter(([, { kind }]) => kind === 'finding').map(([code]) => code as Code);
const findingOf = (code: Code): Finding => ({ code, message: CODES[code].sentence });
/** Notes until a policy gives them a value. */
const SURROUNDINGS: readonly Code[] = ['agent.privileged', 'agent.host_open', 'agent.host_ptrace', 'agent.host_lockdown', 'agent.host_modules', 'agent.host_tainted', 'agent.new_privileges', 'agent.unfiltered', 'agent.unit', 'agent.variables'];
const submodules = ['platform', 'sidecar', 'agent'] as const;

describe('the status of a submodule', () => {
  it.each([[-128, 'contraindicated'], [-97, 'contraindicated'], [-96, 'warning'], [-33, 'warning'], [-32, 'affirming'], [-2, 'affirming'], [-1, 'none'], [0, 'none'], [1, 'none'], [2, 'affirming'],
    [31, 'affirming'], [32, 'warning'], [95, 'warning'], [96, 'contraindicated'], [127, 'contraindicated']] as const)('follows from a claim of %i: %s', (value, status) => {
    expect(statusOf(value)).toBe(status);
  });

  it('is never better than its worst claim', () => {
    expect(worst(['affirming', 'none', 'warning'])).toBe('warning');
    expect(worst(['warning', 'contraindicated', 'affirming'])).toBe('contraindicated');
    expect(worst([])).toBe('affirming');
  });

  it('is a warning or worse for every finding that is no note: none passes', () => {
    expect(codes.filter((code) => !weighs(findingOf(code)))).toEqual(['boot.shadow', ...SURROUNDINGS]);
    for (const code of codes.filter((each) => weighs(findingOf(each)))) {
      const parts = submodules.map((name) => submodule(name, { executables: 2, 'instance-identity': 2 }, [findingOf(code)]));
      expect(['warning', 'contraindicated'], code).toContain(worst(parts.map(({ status }) => status)));
      expect(parts.flatMap(({ findings }) => findings), code).toEqual([findingOf(code)]);
    }
  });

  it('follows from a note as the policy values it', () => {
    for (const code of SURROUNDINGS) {
      for (const [value, status] of [[36, 'warning'], [96, 'contraindicated']] as const) {
        expect(weighing(new Map([[code, value]]))(findingOf(code))).toBe(true);
        expect(submodule('agent', { configuration: 2 }, [findingOf(code)], new Map([[code, value]]))).toMatchObject({ status, vector: { configuration: value } });
      }
      expect(submodule('agent', { configuration: 2 }, [findingOf(code)])).toMatchObject({ status: 'affirming' });
    }
    expect(submodule('agent', {}, [findingOf('agent.traced')], new Map([['agent.traced', 2]]))).toMatchObject({ status: 'contraindicated' });
  });

  it('is not raised by a further finding, and each finding is told once, in the order of the table', () => {
    fc.assert(fc.property(fc.array(fc.constantFrom(...codes), { maxLength: 6 }), fc.constantFrom(...codes), (some, one) => {
      const before = submodule('agent', { executables: 2 }, some.map(findingOf));
      const after = submodule('agent', { executables: 2 }, [...some, one].map(findingOf));
      expect(worst([before.status, after.status])).toBe(after.status);
      const order = inOrder([...some, one, one].map(findingOf)).map(({ code }) => Object.keys(CODES).indexOf(code));
      expect(order).toEqual([...new Set(order)].sort((a, b) => a - b));
    }));
  });
});
