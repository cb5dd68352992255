/**
 * Money: an integer of minor units and an ISO 4217 code. bigint in memory, a JSON integer (at most 2^53-1) on the wire. Never a float, never `Intl`,
 * whose digits differ from ISO 4217 for HUF, IDR, COP, IQD and others: a limit read through it is wrong by a factor of a hundred.
 */
import { z } from 'zod';
import { fault } from './base/fault.js';
import { type Of, type Shape, record } from './base/shape.js';

/** ISO 4217 active codes by number of minor digits (list one, 2026-01). */
const BY_EXPONENT: Record<number, string> = {
  0: 'BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF',
  2: 'AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG',
  3: 'BHD IQD JOD KWD LYD OMR TND',
  4: 'CLF UYW',
};
const EXPONENTS = new Map(Object.entries(BY_EXPONENT).flatMap(([digits, codes]) => codes.split(' ').map((code) => [code, Number(digits)] as const)));

/** Minor digits of a currency. @throws Fault money.currency_unknown */
export function exponent(currency: string): number {
  const digits = EXPONENTS.get(currency);
  if (digits === undefined) throw fault('money.currency_unknown', { currency });
  return digits;
}

/** A non-negative amount of minor units: JSON integer on the wire, bigint in memory. */
export const minor = z.codec(z.int().min(0).max(Number.MAX_SAFE_INTEGER), z.bigint(), { decode: (n) => BigInt(n), encode: (n) => Number(n) }) as Shape<bigint>;
/** An amount that moves: more than nothing. */
export const positive: Shape<bigint> = minor.refine((amount: bigint) => amount > 0n, 'must be more than 0');
export const currency: z.ZodType<string, string> = z.string().refine((code) => EXPONENTS.has(code), 'must be an ISO 4217 currency');
export const money = record({ amount: minor, currency });
export type Money = Of<typeof money>;

/** "199.00 CNY", for people only: no decision reads it. */
export function format({ amount, currency }: Money): string {
  const digits = exponent(currency);
  const text = amount.toString().padStart(digits + 1, '0');
  return `${digits === 0 ? text : `${text.slice(0, -digits)}.${text.slice(-digits)}`} ${currency}`;
}
