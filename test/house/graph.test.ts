import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { record, sha256Text } from '../../src/base/shape.js';
import { mandate } from '../../src/objects/mandate.js';
import { intent } from '../../src/objects/intent.js';
import { MEMBERS, OBJECTS, cycleOf, forward, graphOf } from './graph.js';

const ORDER = Object.keys(OBJECTS);
const graph = graphOf();

describe('the graph of the objects', () => {
  it('has no cycle', () => {
    expect(cycleOf(graph)).toBeNull();
  });

  it('goes one way: no object names a later one', () => {
    expect(forward(graph, ORDER)).toEqual([]);
  });

  it('knows every member that names something, and no object that is not there', () => {
    expect(graph.unknown).toEqual([]);
    expect(Object.values(MEMBERS).filter((name) => name !== null && !ORDER.includes(name))).toEqual([]);
  });

  it.each([
    ['mandate', ['manifest', 'rules']],
    ['closed', ['intent', 'mandate']],
    ['binding', ['claims', 'closed', 'intent', 'log', 'mandate', 'platform']],
    ['ear', ['claims', 'closed', 'evidence', 'intent', 'mandate', 'manifest']],
    ['allowance', ['mandate']],
    ['decision', ['allowance', 'carrier', 'closed', 'confirmation', 'ear', 'intent', 'mandate', 'policy', 'state']],
    ['decision leaf', ['carrier', 'confirmation', 'decision', 'ear', 'intent', 'mandate']],
    ['execution', ['closed', 'decision', 'decision leaf', 'intent']],
    ['receipt', ['closed', 'execution']],
    ['result leaf', ['carrier', 'confirmation', 'decision', 'ear', 'execution', 'intent', 'mandate', 'receipt']],
  ])('%s names what it rests on', (object, named) => {
    expect([...graph.edges.get(object)!].sort()).toEqual(named);
  });

  it('leaves no object unnamed but the last', () => {
    const named = new Set([...graph.edges.values()].flatMap((each) => [...each]));
    expect(ORDER.filter((object) => !named.has(object))).toEqual(['device', 'result leaf']);
  });
});

describe('a planted cycle', () => {
  const late = record({ decisionSha256: sha256Text.nullable() });

  it('goes red, wherever the later object is named', () => {
    const planted = graphOf({ ...OBJECTS, mandate: [mandate, late] });
    expect(cycleOf(planted)).toEqual(expect.arrayContaining(['mandate', 'decision']));
    expect(forward(planted, ORDER)).toEqual(['mandate -> decision']);
  });

  it('goes red when it is deep inside, in an array of a union', () => {
    const deep = record({ extras: z.array(z.union([z.string(), record({ receipt: sha256Text })])) });
    expect(forward(graphOf({ ...OBJECTS, intent: [intent, deep] }), ORDER)).toEqual(['intent -> receipt']);
  });

  it('goes red for a member that nobody put in the table', () => {
    expect(graphOf({ ...OBJECTS, intent: [intent, record({ otherSha256: sha256Text })] }).unknown).toEqual(['intent.other_sha256']);
  });
});
