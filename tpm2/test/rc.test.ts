import { describe, expect, it } from 'vitest';
import { ChannelError, decodeRc, mayRepeat, RC, TpmError } from '../src/index.js';
import { ERRORS, FORMAT_ONE, WARNINGS } from '../src/rc-table.js';

describe('response codes', () => {
  it.each([
    [0x000, 'TPM_RC_SUCCESS', null],
    [0x01e, 'TPM_RC_BAD_TAG', null],
    [0x100, 'TPM_RC_INITIALIZE', null],
    [0x101, 'TPM_RC_FAILURE', null],
    [0x12f, 'TPM_RC_AUTH_UNAVAILABLE', null],
    [0x14a, 'TPM_RC_NV_UNINITIALIZED', null],
    [0x149, 'TPM_RC_NV_AUTHORIZATION', null],
    [0x14b, 'TPM_RC_NV_SPACE', null],
    [0x1c4, 'TPM_RC_VALUE', { kind: 'parameter', number: 1 }],
    [0x1df, 'TPM_RC_INTEGRITY', { kind: 'parameter', number: 1 }],
    [0x2c2, 'TPM_RC_ATTRIBUTES', { kind: 'parameter', number: 2 }],
    [0x2e7, 'TPM_RC_ECC_POINT', { kind: 'parameter', number: 2 }],
    [0x3e0, 'TPM_RC_TICKET', { kind: 'parameter', number: 3 }],
    [0xfd5, 'TPM_RC_SIZE', { kind: 'parameter', number: 15 }],
    [0x18b, 'TPM_RC_HANDLE', { kind: 'handle', number: 1 }],
    [0x98e, 'TPM_RC_AUTH_FAIL', { kind: 'session', number: 1 }],
    [0x99d, 'TPM_RC_POLICY_FAIL', { kind: 'session', number: 1 }],
    [0x9a2, 'TPM_RC_BAD_AUTH', { kind: 'session', number: 1 }],
    [0xa9d, 'TPM_RC_POLICY_FAIL', { kind: 'session', number: 2 }],
    [0x0a2, 'TPM_RC_BAD_AUTH', null],
    [0x902, 'TPM_RC_OBJECT_MEMORY', null],
    [0x903, 'TPM_RC_SESSION_MEMORY', null],
    [0x910, 'TPM_RC_REFERENCE_H0', { kind: 'handle', number: 1 }],
    [0x919, 'TPM_RC_REFERENCE_S1', { kind: 'session', number: 2 }],
    [0x921, 'TPM_RC_LOCKOUT', null],
    [0x922, 'TPM_RC_RETRY', null],
  ])('%i is %s', (code, name, where) => {
    expect(decodeRc(code)).toMatchObject({ code, name, where });
  });

  it('of the kernel’s resource manager are read without their layer', () => {
    expect(decodeRc(0x000b0143).name).toBe('TPM_RC_COMMAND_CODE');
  });

  it('that nobody knows still have a name and a meaning', () => {
    expect(decodeRc(0x57f).name).toBe('TPM_RC_UNKNOWN_57f');
    for (let code = 0; code <= 0xfff; code++) expect(decodeRc(code).name).toMatch(/^TPM_RC_[A-Za-z0-9_]+$/);
  });

  it('stand each once in the table, under a number of their class', () => {
    for (const [table, limit] of [[FORMAT_ONE, 0x3f], [ERRORS, 0x7f], [WARNINGS, 0x7f]] as const) {
      const names = Object.values(table).map(([name]) => name);
      expect(new Set(names).size).toBe(names.length);
      expect(Math.max(...Object.keys(table).map(Number))).toBeLessThanOrEqual(limit);
    }
  });

  it('of RC agree with the table', () => {
    for (const [name, code] of Object.entries(RC)) expect(decodeRc(code).name).toBe(`TPM_RC_${name}`);
  });

  it('that allow the same bytes again are the five warnings that promise nothing was done', () => {
    expect(Array.from({ length: 0x1000 }, (_, code) => code).filter(mayRepeat)).toEqual([0x908, 0x90a, 0x920, 0x922, 0x923]);
  });
});

describe('errors', () => {
  it('say command, name, code, place and meaning', () => {
    const error = new TpmError(0x9a2, 'TPM2_Quote');
    expect(error).toMatchObject({ name: 'TPM_RC_BAD_AUTH', code: 0x9a2, base: RC.BAD_AUTH, where: { kind: 'session', number: 1 }, command: 'TPM2_Quote' });
    expect(error.message).toBe('TPM2_Quote: TPM_RC_BAD_AUTH (0x9a2, session 1): authorization failure without dictionary attack implications');
  });
  it('of channels carry their cause', () => {
    const cause = new Error('x');
    expect(new ChannelError('absent', 'y', { cause })).toMatchObject({ name: 'ChannelError', code: 'absent', cause });
  });
});
