/** RFC 8785 against the data of its author. Numbers with fractions are refused before they are canonicalised: their values are not compared. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { canonical, parseJson } from '../../src/base/json.js';
import { VECTORS, vectorTitle } from '../support/vectors.js';

interface Case { name: string; input: string; output: string; outputHex: string }
const folder = VECTORS && join(VECTORS, 'cyberphone+json-canonicalization/derived/jcs');
const cases = (folder ? readdirSync(folder) : []).map((file) => JSON.parse(readFileSync(join(folder!, file), 'utf8')) as Case).map((one) => [one.name, one] as const);

describe.skipIf(VECTORS === null)(vectorTitle('JCS: cyberphone/json-canonicalization'), () => {
  it.each(cases)('%s', (_, { input, output, outputHex }) => {
    expect(canonical(JSON.parse(input))).toBe(output);
    expect(Buffer.from(canonical(JSON.parse(input))).toString('hex')).toBe(outputHex);
    const strict = canonical(parseJson(output.replaceAll(/-?[0-9]+(\.[0-9]+|[eE])[0-9+eE-]*/g, '0')));
    expect(strict).toBe(output.replaceAll(/-?[0-9]+(\.[0-9]+|[eE])[0-9+eE-]*/g, '0'));
  });
});
