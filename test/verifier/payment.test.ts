import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DECISION } from '../../src/objects/decision.js';
import { open } from '../../src/objects/signed.js';
import { verifyProof } from '../../src/deposit/proof.js';
import { TestPayer } from './support/payer.js';

let payer: TestPayer;
beforeAll(async () => {
  payer = await TestPayer.start();
  await payer.enrol();
  await payer.openCarrier();
  await payer.giveMandate();
});
afterAll(() => payer.stop());

describe('a payment', () => {
  it('is permitted, deposited, settled and proven', async () => {
    const told = await payer.decision(await payer.attempt(payer.intent()));
    const trust = await payer.service.trust();
    const decision = open(DECISION, told.decision, trust.keys).value;
    console.error(decision.code, decision.findings);
    expect(told.state).toBe('permitted');
    verifyProof(told.leaf, told.proof, trust.logs);
    const result = await payer.link.next('execution');
    expect(result.state).toBe('settled');
    verifyProof(result.leaf!, result.proof!, trust.logs);
  });
});
