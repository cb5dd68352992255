import { describe, expect, it } from 'vitest';
import { type RuleOptions, rulesOf } from '../../cli/rules.js';
import { codeOf } from '../support/fault.js';

const options: RuleOptions = { perPayment: '100', total: '1000', payee: [], window: [], level: [], minTier: 'T2', confirmAbove: '0', agent: [], valid: '1d' };

describe('carrier rules on the command line', () => {
  it('permit offline payments only where it is said, with amount and number', () => {
    expect(rulesOf(options).offline).toBeNull();
    expect(rulesOf({ ...options, offline: '5000/3' }).offline).toEqual({ maxTotal: 5000n, maxCount: 3 });
  });

  it.each(['5000', '5000/', '/3', '-1/3', '5000/3/1', 'all'])('take no %s for it', (offline) => {
    expect(codeOf(() => rulesOf({ ...options, offline }))).toBe('usage.wrong');
  });
});
