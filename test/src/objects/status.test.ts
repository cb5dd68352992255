import { deflateSync, inflateSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { toB64u } from '../../../src/base/bytes.js';
import { type Inflate, openStatusList, packStatuses, sealStatusList, type StatusList, type StatusValue } from '../../../src/objects/status.js';
import { codeOf } from '../../support/fault.js';
import { NOW, OWNERS, PARTIES, TRUST } from '../../support/parties.js';

const inflate: Inflate = (bytes, maxOutputLength) => inflateSync(bytes, { maxOutputLength });
const list = (lst: string, changes: Partial<StatusList> = {}): StatusList => ({ iss: OWNERS.carrier, sub: 'https://carrier.example/status/1', iat: NOW, exp: NOW + 3600, ttl: 60, statusList: { bits: 2, lst }, ...changes });
const opened = (lst: string, changes?: Partial<StatusList>, nowS = NOW) => openStatusList(sealStatusList('carrier', list(lst, changes), PARTIES.carrier), TRUST, { inflate, nowS });

describe('a status list', () => {
  it('reads the two-bit example of the specification', () => {
    const { at } = opened('eNo76fITAAPfAgc');
    expect(Array.from({ length: 13 }, (_, idx) => at(idx))).toEqual(['invalid', 'suspended', 'valid', null, 'valid', 'invalid', 'valid', 'invalid', 'invalid', 'suspended', null, null, null]);
  });

  it('gives back what was packed, and valid where nothing was', () => {
    fc.assert(fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 5000 }), { maxLength: 50 }), (places) => {
      const rows = places.map((idx, i) => ({ idx, value: (i % 3) as StatusValue }));
      const { at } = opened(packStatuses(rows, deflateSync));
      for (const { idx, value } of rows) expect(at(idx)).toBe((['valid', 'invalid', 'suspended'] as const)[value]);
      expect(at(places.includes(1) ? 5001 : 1)).toBe(places.includes(1) ? at(5001) : 'valid');
    }), { numRuns: 50 });
  });

  it('says little of how many tokens there are: lists of one and of a thousand are of one size', () => {
    const bytes = (idx: number): number => inflateSync(Buffer.from(packStatuses([{ idx, value: 1 }], deflateSync), 'base64url')).length;
    expect([bytes(0), bytes(1000), bytes(1024), bytes(5000)]).toEqual([256, 256, 512, 2048]);
  });

  it('is refused when it is a bomb, no ZLIB, over, of another key, or signed in the name of another', () => {
    expect(codeOf(() => opened(toB64u(deflateSync(Buffer.alloc(4_194_305)))))).toBe('status.malformed');
    expect(codeOf(() => opened(toB64u(deflateSync(Buffer.alloc(4_194_304)))))).toBeNull();
    expect(codeOf(() => opened('AAAA'))).toBe('status.malformed');
    expect(codeOf(() => opened('eNo76fITAAPfAgc', {}, NOW + 3600))).toBe('status.stale');
    expect(codeOf(() => opened('eNo76fITAAPfAgc', { iss: OWNERS.verifier }))).toBe('token.signature');
    expect(codeOf(() => openStatusList(sealStatusList('carrier', list('eNo76fITAAPfAgc'), { ...PARTIES.carrier, kid: PARTIES.verifier.kid }), TRUST, { inflate, nowS: NOW }))).toBe('token.signature');
  });
});
