import { describe, expect, it } from 'vitest';
import { statement, type StatementInput } from '../../../src/deposit/statement.js';
import { type DepositLeaf, leafHash, leafText } from '../../../src/objects/leaf.js';
import { RECEIPT, REFUND } from '../../../src/objects/settlement.js';
import { seal, tokenHash } from '../../../src/objects/signed.js';
import { deposit } from '../../support/bundle.js';
import { codeOf } from '../../support/fault.js';
import { hash, NOW, OWNERS, PARTIES, PAYMENT, TRUST, ulid } from '../../support/parties.js';
import { logSigner } from '../../../src/deposit/note.js';

const CARRIER = 'crr_1';
const money = (amount: bigint) => ({ amount, currency: 'CNY' });
const receipt = (n: number, amount: bigint, signer = PARTIES.settlement): string => seal(RECEIPT, {
  iss: OWNERS.settlement, iat: NOW, jti: `rcp_${ulid(n)}`, status: 'Success', reference: hash('closed'), paymentId: PAYMENT, pspConfirmationId: null, error: null, executionSha256: hash('token'), amount: money(amount), settledAt: NOW,
}, signer);
const refund = (n: number, amount: bigint): string => seal(REFUND, {
  iss: OWNERS.settlement, iat: NOW, jti: `rcp_${ulid(n)}`, refundId: `evt_${ulid(n)}`, paymentId: PAYMENT, pspConfirmationId: null, receiptSha256: hash('r'), executionSha256: hash('token'), amount: money(amount), refundedAt: NOW,
}, PARTIES.settlement);
const nothing = { code: null, payment: null, mandate: null, carrier: null, ear: null, confirmation: null, decision: null, execution: null, receipt: null, subject: null };

function chainOf(rows: { kind: DepositLeaf['kind']; receipt?: string; chain?: string; skip?: number }[]): string[] {
  const texts: string[] = [];
  let seq = 0;
  for (const { kind, receipt: token, chain = CARRIER, skip = 0 } of rows) {
    seq += skip;
    texts.push(leafText({ kind, v: 'ari-deposit-1', salt: 'AAAAAAAAAAAAAAAAAAAAAA', chain, seq: seq++, prev: texts.length === 0 ? null : leafHash(texts.at(-1)!), tsMs: NOW, ...nothing, receipt: token === undefined ? null : tokenHash(token) } as DepositLeaf));
  }
  return texts;
}
const [first, second, back] = [receipt(1, 9900n), receipt(2, 100n), refund(3, 900n)];
const honest = (): StatementInput => {
  const leaves = chainOf([{ kind: 'rules_changed' }, { kind: 'permitted' }, { kind: 'settled', receipt: first }, { kind: 'denied' }, { kind: 'settled', receipt: second }, { kind: 'refunded', receipt: back }]);
  return { carrierId: CARRIER, leaves, receipts: [first, second, back], proof: deposit(leaves, leaves.length - 1) };
};
const wrongIn = (changes: Partial<StatementInput>) => statement({ ...honest(), ...changes }, TRUST).wrong.map(({ code }) => code);

describe('the statement of a carrier', () => {
  it('adds up what was paid and came back, line by line', () => {
    const { lines, paid, refunded, wrong } = statement(honest(), TRUST);
    expect([paid, refunded, wrong]).toEqual([10_000n, 900n, []]);
    expect(lines.map(({ leaf: { kind }, amount, total }) => [kind, amount, total])).toEqual([
      ['rules_changed', null, 0n], ['permitted', null, 0n], ['settled', 9900n, 9900n], ['denied', null, 9900n], ['settled', 100n, 10_000n], ['refunded', 900n, 9100n],
    ]);
  });

  it('is empty for a carrier of which nothing is known', () => {
    expect(statement({ carrierId: CARRIER, leaves: [], receipts: [], proof: null }, TRUST)).toEqual({ lines: [], paid: 0n, refunded: 0n, wrong: [] });
  });

  it('shows a gap where it is, and goes on after it', () => {
    const { leaves } = honest();
    const { wrong, lines } = statement({ ...honest(), leaves: leaves.filter((_, i) => i !== 2) }, TRUST);
    expect(wrong).toEqual([{ code: 'deposit.chain', message: expect.stringContaining('at 2') }]);
    expect(lines).toHaveLength(5);
    expect(wrongIn({ leaves: leaves.slice(1) })).toEqual(['deposit.chain']);
    expect(wrongIn({ leaves: leaves.map((text, i) => (i === 1 ? text.replace('permitted', 'denied') : text)) }), 'a rewritten leaf is not the one that the next names').toEqual(['deposit.chain']);
    expect(wrongIn({ carrierId: 'crr_2' })).toContain('deposit.chain');
  });

  it('misses a receipt that a leaf names, and counts none that no leaf names', () => {
    expect(wrongIn({ receipts: [first, back] })).toEqual(['deposit.receipt']);
    expect(statement({ ...honest(), receipts: [first, second, back, receipt(9, 5n)] }, TRUST).paid).toBe(10_000n);
  });

  it('believes no receipt of another key, and no log of another', () => {
    expect(codeOf(() => statement({ ...honest(), receipts: [receipt(1, 9900n, PARTIES.carrier)] }, TRUST))).toBe('token.signature');
    const { leaves } = honest();
    expect(wrongIn({ proof: deposit(leaves, leaves.length - 1, logSigner('log.example/deposit', Buffer.alloc(32, 77))) })).toEqual(['deposit.checkpoint']);
    expect(wrongIn({ proof: deposit(leaves, 0) })).toEqual(['deposit.proof']);
    expect(wrongIn({ proof: null })).toEqual(['deposit.malformed']);
  });
});
