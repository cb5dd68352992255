import { describe, expect, it } from 'vitest';
import { Recent } from '../../../src/base/recent.js';

describe('a bounded memory', () => {
  it('forgets what was not asked for the longest', () => {
    const recent = new Recent<number>(3);
    for (const [n, key] of ['a', 'b', 'c'].entries()) recent.set(key, n, 1);
    expect(recent.get('a')).toBe(0);
    recent.set('d', 3, 1);
    expect(['a', 'b', 'c', 'd'].map((key) => recent.get(key))).toEqual([0, undefined, 2, 3]);
  });

  it('holds no more than its weight, and what is too heavy not at all', () => {
    const recent = new Recent<string>(10);
    recent.set('small', 'x', 4);
    recent.set('heavy', 'y', 11);
    expect([recent.get('small'), recent.get('heavy')]).toEqual(['x', undefined]);
    recent.set('big', 'z', 8);
    expect([recent.get('small'), recent.get('big')]).toEqual([undefined, 'z']);
  });

  it('counts what is set again once', () => {
    const recent = new Recent<number>(2);
    for (let n = 0; n < 10; n++) recent.set('same', n, 1);
    recent.set('other', 1, 1);
    expect([recent.get('same'), recent.get('other')]).toEqual([9, 1]);
  });
});
