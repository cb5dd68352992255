import { describe, expect, it } from 'vitest';
import { decode, encode, parse } from '../../src/base/shape.js';
import { exponent, format, money } from '../../src/money.js';
import { codeOf } from '../support/fault.js';

describe('minor digits', () => {
  /** ISO 4217, where Intl or habit say otherwise: a limit read wrongly here is wrong by a factor of a hundred. */
  it.each([['HUF', 2], ['IDR', 2], ['COP', 2], ['IRR', 2], ['AFN', 2], ['MGA', 2], ['MRU', 2], ['ISK', 0], ['UGX', 0], ['JPY', 0], ['KRW', 0], ['CLP', 0], ['CLF', 4], ['UYW', 4], ['UYU', 2], ['UYI', 0], ['IQD', 3], ['KWD', 3], ['BHD', 3], ['TND', 3], ['CNY', 2], ['EUR', 2], ['USD', 2]])('of %s are %i', (code, digits) => {
    expect(exponent(code)).toBe(digits);
  });

  it.each(['usd', 'XXX', 'XAU', 'DEM', 'HRK', 'BTC', '', 'toString', '__proto__'])('of "%s" are not known', (code) => expect(codeOf(() => exponent(code))).toBe('money.currency_unknown'));
});

describe('money for people', () => {
  it.each([[19900n, 'CNY', '199.00 CNY'], [5n, 'CNY', '0.05 CNY'], [0n, 'EUR', '0.00 EUR'], [100n, 'JPY', '100 JPY'], [0n, 'JPY', '0 JPY'], [1500n, 'IQD', '1.500 IQD'], [1n, 'CLF', '0.0001 CLF'], [9007199254740991n, 'USD', '90071992547409.91 USD']])('%s %s is %s', (amount, currency, text) => {
    expect(format({ amount, currency })).toBe(text);
  });
});

describe('money on the wire', () => {
  it('is an integer of minor units up to 2^53-1, exactly', () => {
    for (const amount of [0n, 1n, 9_007_199_254_740_991n]) expect(decode(money, encode(money, { amount, currency: 'CNY' }))).toEqual({ amount, currency: 'CNY' });
    expect(() => encode(money, { amount: 9_007_199_254_740_992n, currency: 'CNY' })).toThrow();
    expect(() => encode(money, { amount: -1n, currency: 'CNY' })).toThrow();
  });

  it.each([['a fraction', '199.5', 'money.not_integer'], ['an exponent', '1e2', 'money.not_integer'], ['2^53+1', '9007199254740993', 'money.not_integer'], ['text', '"19900"', 'intake.malformed'], ['less than nothing', '-1', 'intake.malformed'], ['null', 'null', 'intake.malformed']])('is refused as %s', (_, amount, code) => {
    expect(codeOf(() => parse(money, `{"amount":${amount},"currency":"CNY"}`))).toBe(code);
  });

  it.each(['"cny"', '"XXX"', 'null'])('is refused in %s', (currency) => expect(codeOf(() => parse(money, `{"amount":1,"currency":${currency}}`))).toBe('intake.malformed'));
});
