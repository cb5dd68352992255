import { describe, expect, it } from 'vitest';
import { Pace } from '../../verifier/pace.js';
import { codeOf } from '../support/fault.js';

describe('the pace of a user', () => {
  it('is a burst and then a rate; nobody else waits for it', () => {
    const pace = new Pace();
    for (let n = 0; n < 100; n++) pace.assertSlow('usr_1', 1000);
    expect(codeOf(() => pace.assertSlow('usr_1', 1000))).toBe('intake.pace');
    expect(() => pace.assertSlow('usr_2', 1000)).not.toThrow();
    expect(() => pace.assertSlow('usr_1', 1050)).not.toThrow();
    expect(codeOf(() => pace.assertSlow('usr_1', 1050))).toBe('intake.pace');
  });

  it('counts a stream until it ends, also when its listener leaves before it said anything more', async () => {
    const pace = new Pace();
    const streams = Array.from({ length: 16 }, () => pace.counted('usr_1', (async function* () { yield 1; yield 2; })()));
    for (const stream of streams) await stream.next();
    expect(codeOf(() => pace.assertFewStreams('usr_1'))).toBe('intake.pace');
    expect(() => pace.assertFewStreams('usr_2')).not.toThrow();
    await streams[0]!.return(undefined);
    expect(() => pace.assertFewStreams('usr_1')).not.toThrow();
  });
});
