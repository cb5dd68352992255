import { describe, expect, it } from 'vitest';
import type { Json } from '../../../src/base/json.js';
import { decode, encode, hashOf, parse, stringify } from '../../../src/base/shape.js';
import { codeOf } from '../../support/fault.js';
import { LINK_SAMPLES } from '../link.samples.js';
import { SAMPLES, type Sample } from './all.js';
import { places, without } from './places.js';

/** Members that may be left out: a rule that is not said is the strictest, and AP2's optional members. */
const OPTIONAL = new Set(['per_payment_max', 'total_max', 'windows', 'scenarios', 'payees', 'not_before', 'not_after', 'hours', 'levels', 'min_tier', 'confirm_above', 'offline', 'website']);
/** Objects whose member names are data. */
const OPEN = /(^|\.)(pcrs|ear_trustworthiness_vector|data)$/;

const all: Sample[] = [...SAMPLES, ...LINK_SAMPLES];

describe.each(all.map((one) => [one.name, one] as const))('%s', (_, { shape, value }) => {
  const wire = encode(shape, value);

  it('comes back from the wire as it went', () => {
    expect(decode(shape, wire)).toEqual(value);
    expect(parse(shape, stringify(shape, value))).toEqual(value);
    expect(hashOf(shape, decode(shape, wire))).toBe(hashOf(shape, value));
  });

  it('has names in snake_case on the wire, whatever they are in memory', () => {
    for (const { path, object } of places(wire)) {
      if (OPEN.test(path)) continue;
      for (const name of Object.keys(object)) expect(name).toMatch(/^(_?[a-z0-9]+(_[a-z0-9]+)*|\.\.\.)$/);
    }
  });

  it('is refused with a member more, wherever it stands', () => {
    for (const { path, set } of places(wire)) {
      if (path.endsWith('data')) continue;
      expect([path, codeOf(() => decode(shape, set({ unexpected: 1 })))]).toEqual([path, 'intake.malformed']);
    }
  });

  it('is refused with a member less, wherever it stood', () => {
    for (const { path, object, replace } of places(wire)) {
      for (const name of Object.keys(object)) {
        if (OPTIONAL.has(name) || OPEN.test(path)) continue;
        expect([path, name, codeOf(() => decode(shape, replace(without(object, name))))]).toEqual([path, name, 'intake.malformed']);
      }
    }
  });

  it('is refused with a member of another type', () => {
    for (const { path, object, set } of places(wire)) {
      for (const [name, member] of Object.entries(object)) {
        const wrong: Json = member === null ? [[0]] : typeof member === 'boolean' ? 'true' : true;
        expect([path, name, codeOf(() => decode(shape, set({ [name]: wrong })))]).toEqual([path, name, 'intake.malformed']);
      }
    }
  });
});
