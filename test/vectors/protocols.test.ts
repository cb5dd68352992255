/** The examples and schemas of UCP, ACP and x402 as their authors wrote them: what is read out of them, and that the payees and agents of the tests speak so. */
import { describe, expect, it } from 'vitest';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll } from 'vitest';
import { answerIn } from '../../src/protocols/index.js';
import { acpTerms } from '../../src/protocols/acp.js';
import { ucpTerms } from '../../src/protocols/ucp.js';
import { x402Terms } from '../../src/protocols/x402.js';
import { issueTls, type TlsFiles } from '../../verifier/tls.js';
import { codeOf } from '../support/fault.js';
import { differs } from '../support/jsonschema.js';
import { AcpFlorist, UcpFlorist } from '../support/payees/checkout.js';
import { VECTORS, vectorTitle } from '../support/vectors.js';
import { readJson } from './run.js';

interface Example { file: string; key?: string; version?: string; value: any }
const examples = (path: string): Example[] => (VECTORS === null ? [] : readJson<Example[]>(path));
const bytes = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const isSession = ({ value }: Example): boolean => typeof value === 'object' && value !== null && typeof value.id === 'string' && Array.isArray(value.totals) && typeof value.currency === 'string' && typeof value.status === 'string' && 'line_items' in value;
const ACP = 'agentic-commerce-protocol+agentic-commerce-protocol';
const UCP = 'Universal-Commerce-Protocol+ucp';
const acp = examples(`${ACP}/derived/acp_examples.public.json`).filter(isSession);
const ucp = examples(`${UCP}/derived/ucp_examples.public.json`).filter(isSession);
const offers = examples('coinbase+x402/derived/x402_examples.public.json').filter(({ value }) => typeof value === 'object' && Array.isArray(value?.accepts));
const total = ({ totals }: { totals: { type: string; amount: number }[] }): bigint => BigInt(totals.find(({ type }) => type === 'total')!.amount);

describe.skipIf(!VECTORS)(vectorTitle('ACP: sessions of its examples'), () => {
  it('are more than forty', () => expect(acp.length).toBeGreaterThan(30));
  it.each(acp.map((one) => [one.version, one.key, one.value] as const))('%s %s is read: its total, its currency in upper case, whether it may be paid', (_, __, value) => {
    const terms = acpTerms({ status: 200, body: bytes(value) }, value.id);
    expect(terms).toMatchObject({ ref: value.id, amount: { amount: total(value), currency: value.currency.toUpperCase() } });
    expect(terms.state === 'ready').toBe(value.status === 'ready_for_payment');
  });
});

describe.skipIf(!VECTORS)(vectorTitle('UCP: checkouts of its specification'), () => {
  it('are some', () => expect(ucp.length).toBeGreaterThan(2));
  it.each(ucp.map((one, i) => [i, one.file, one.value] as const))('%i of %s is read, or refused for what it leaves out', (_, __, value) => {
    const code = codeOf(() => ucpTerms({ status: 200, body: bytes(value) }, value.id, 'ucp'));
    if (code !== null) return expect(code).toMatch(/^(?:money\.total_ambiguous|money\.not_integer|intake\.malformed)$/);
    expect(ucpTerms({ status: 200, body: bytes(value) }, value.id, 'ucp')).toMatchObject({ amount: { amount: total(value), currency: value.currency } });
  });
});

describe.skipIf(!VECTORS)(vectorTitle('x402: offers of its specification'), () => {
  it.each(offers.map((one, i) => [i, one.file, one.value] as const))('%i of %s is a chain\'s, and none that a carrier pays', (_, __, offer) => {
    const headers = [['payment-required', Buffer.from(JSON.stringify(offer)).toString('base64')]] as const;
    const payment = { x402Version: 2, accepted: offer.accepts[0], payload: {}, extensions: offer.extensions ?? {} };
    expect(codeOf(() => x402Terms({ status: 402, headers }, payment, offer.resource?.url))).toMatch(/^(?:terms\.credential|terms\.other|intake\.malformed)$/);
  });
});

describe.skipIf(!VECTORS)(vectorTitle('the payees of the tests, and the refusals of the sidecar'), () => {
  const dir = mkdtempSync(join(tmpdir(), 'ari-shapes-'));
  let tls: TlsFiles;
  beforeAll(async () => { tls = await issueTls(dir, ['localhost'], Date.now()); });
  afterAll(() => rmSync(dir, { recursive: true }));
  const capture = () => Promise.resolve({ status: 200, state: null });
  const ucpSchema = (name: string): string => join(VECTORS!, UCP, 'source/schemas', name);
  const acpSchema = (name: string): [string, string] => [join(VECTORS!, ACP, 'spec/2026-04-17/json-schema/schema.agentic_checkout.json'), `/$defs/${name}`];

  it('speak UCP', () => {
    const florist = new UcpFlorist(tls, capture);
    expect(differs(florist.view(florist.order(9900)), ucpSchema('shopping/checkout.json'))).toBeNull();
    expect(differs({ ...florist.view(florist.order(9900)), totals: [{ type: 'total', amount: 1 }, { type: 'total', amount: 2 }, { type: 'subtotal', amount: 1 }] }, ucpSchema('shopping/checkout.json'))).toContain('totals');
    expect(differs(JSON.parse(answerIn('ucp', { code: 'carrier.per_payment', status: 403, message: 'too much', waits: false }).body), ucpSchema('common/types/error_response.json'))).toBeNull();
  });

  it('speak ACP', () => {
    const florist = new AcpFlorist(tls, capture);
    expect(differs(florist.view(florist.order(9900)), ...acpSchema('CheckoutSession'))).toBeNull();
    const body = { payment_data: { handler_id: 'carrier_1', instrument: { type: 'ari.fund_carrier', credential: { type: 'ari.execution', token: 'ari-payment' } } } };
    expect(differs(body, ...acpSchema('CheckoutSessionCompleteRequest'))).toBeNull();
    expect(differs({ ...body, ari: 1 }, ...acpSchema('CheckoutSessionCompleteRequest'))).toBe('$.ari may not be there');
    for (const [code, status] of [['carrier.per_payment', 403], ['intake.idempotency_conflict', 422], ['link.offline', 503]] as const) {
      expect(differs(JSON.parse(answerIn('acp', { code, status, message: 'no', waits: false }).body), ...acpSchema('Error'))).toBeNull();
    }
  });
});
