/** Whole payments over the protocols of others: a real sidecar, verifier and TPM, the agent of the examples, and payees that only know their protocol. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { confirmPayment, paymentIntent } from '../../cli/actions.js';
import { HANDLER } from '../support/payees/checkout.js';
import { type Answer, Market } from '../support/payees/market.js';
import { ari } from '../cli/support.js';

let market: Market;
beforeAll(async () => { market = await Market.open(); }, 60_000);
beforeEach(() => { for (const payee of market.payees) payee.forget(); });
afterAll(() => market.close());

const INSTRUMENT = { type: 'ari.fund_carrier', credential: { type: 'ari.execution', token: 'ari-payment' } };
const UCP_BODY = JSON.stringify({ payment: { instruments: [{ id: 'pi_1', handler_id: HANDLER, ...INSTRUMENT }] } });
const ACP_BODY = JSON.stringify({ payment_data: { handler_id: HANDLER, instrument: INSTRUMENT } });
const HEADERS = { ucp: { 'ucp-agent': 'profile="https://agent.example/ucp"' }, acp: { 'api-version': '2026-04-17' } };
const PATHS = { ucp: '/ucp/v1/checkout-sessions', acp: '/checkout_sessions' };
const BODIES = { ucp: UCP_BODY, acp: ACP_BODY };
type Checkout = 'ucp' | 'acp';

let keys = 0;
const fresh = (): string => `order-${++keys}-${'0'.repeat(16)}`;
const complete = (protocol: Checkout, id: string, { key = fresh(), body = BODIES[protocol], headers = {}, as = protocol as string, path = `${PATHS[protocol]}/${id}/complete` } = {}): Promise<Answer> =>
  market.send('POST', `/x/${as}/${market[protocol].host}${path}`, { ...HEADERS[protocol], 'content-type': 'application/json', 'idempotency-key': key, 'ari-task': 'birthday', ...headers }, body);
const view = async (answer: Answer): Promise<{ state: string; amount: { amount: number } }> => JSON.parse((await market.send('GET', `/v1/payments/${answer.headers['ari-payment-id']}`)).body) as never;

describe('a purchase by the agent of the examples', () => {
  it.each([['ucp', 9900], ['acp', 9900], ['x402', 1990]] as const)('over %s is proven, decided, and captured by the payee, once', async (protocol, amount) => {
    const before = await market.ledger();
    const purchase = { protocol, host: market[protocol].host, item: 'tulips', key: `whole-${protocol}` };
    const answer = await market.buy(purchase);
    expect(answer).toMatchObject({ status: 200, problem: null, payment_id: expect.stringMatching(/^pay_/) });
    expect((await market.buy(protocol === 'x402' ? purchase : { ...purchase, id: 'chk_1' })).payment_id).toBe(answer.payment_id);
    expect(market[protocol].captured).toHaveLength(1);
    expect(await market.ledger()).toEqual({ reserved: before.reserved, spent: before.spent + amount });
  }, 30_000);
});

describe('a completing call', () => {
  it.each(['ucp', 'acp'] as const)('over %s reaches the payee byte for byte, with the payment beside it, and its bundle verifies offline', async (protocol) => {
    const { id } = market[protocol].order(4200);
    const body = `  ${BODIES[protocol].replaceAll(':', ' :\t')}\n`;
    const answer = await complete(protocol, id, { body, headers: { 'ari-payment': 'forged', 'x-own': 'Kept ' } });
    expect(answer).toMatchObject({ status: 200, problem: null });
    const [call] = market[protocol].to('/complete');
    expect(call?.body.toString()).toBe(body);
    expect(call?.headers).toMatchObject({ 'x-own': 'Kept', 'ari-payment': expect.stringMatching(/^execution="/), host: market[protocol].host });
    expect(call?.headers).not.toHaveProperty('ari-task');
    expect(String(call?.headers['ari-payment']).length).toBeLessThan(6000);
    await expect.poll(async () => (await view(answer)).state).toBe('settled');
    expect((await view(answer)).amount.amount).toBe(4200);
    const file = join(market.stage.dir, `${protocol}.ari.json`);
    writeFileSync(file, (await market.send('GET', `/v1/payments/${answer.headers['ari-payment-id']}/bundle`)).body);
    expect(await ari('verify', file, '--keys', market.stage.keysFile)).toMatchObject({ status: 0 });
    expect(JSON.parse((await market.send('GET', `/v1/payments/${answer.headers['ari-payment-id']}/bundle`)).body)).toMatchObject({ intent: { protocol, grade: 'B', payee: { origin: market[protocol].origin } } });
  }, 30_000);

  it('is paid by the payee\'s amount, whatever the agent writes about it', async () => {
    const { id } = market.ucp.order(4300);
    const answer = await complete('ucp', id, { body: UCP_BODY.replace('{"payment"', '{"amount":1,"totals":[{"type":"total","amount":1}],"payment"') });
    expect(answer.status).toBe(200);
    expect((await view(answer)).amount.amount).toBe(4300);
  });

  it('whose amount is over the limit is denied in the protocol\'s words, and the payee is never called with it', async () => {
    for (const protocol of ['ucp', 'acp'] as const) {
      const before = await market.ledger();
      const answer = await complete(protocol, market[protocol].order(20_001).id);
      expect(answer).toMatchObject({ status: 403, problem: { code: 'mandate.amount', payment: { state: 'denied' } } });
      expect(JSON.parse(answer.body)).toMatchObject(protocol === 'ucp' ? { ucp: { status: 'error' }, messages: [{ type: 'error', code: 'mandate.amount', severity: 'unrecoverable' }] } : { type: 'processing_error', code: 'mandate.amount' });
      expect(market[protocol].to('/complete')).toEqual([]);
      expect(await market.ledger()).toEqual(before);
    }
  });

  it('waits for the user where she confirms, and is paid when it is repeated', async () => {
    const [{ id }, key] = [market.ucp.order(16_000), fresh()];
    const waiting = await complete('ucp', id, { key });
    expect(waiting).toMatchObject({ problem: { code: 'decision.above_confirm', payment: { state: 'confirm_required' } } });
    expect(JSON.parse(waiting.body)).toMatchObject({ messages: [{ severity: 'requires_buyer_review' }] });
    const paymentId = waiting.problem?.payment?.payment_id ?? '';
    await confirmPayment(market.stage.api, market.stage.user, paymentId, await paymentIntent(market.stage.api, paymentId));
    await expect.poll(async () => (await complete('ucp', id, { key })).status).toBe(200);
    expect(market.ucp.captured).toEqual([id]);
  });

  it('is refused when the payee changed the order after the user confirmed it, and nothing is reserved', async () => {
    const [session, key, before] = [market.ucp.order(16_100), fresh(), await market.ledger()];
    const paymentId = (await complete('ucp', session.id, { key })).problem?.payment?.payment_id ?? '';
    await confirmPayment(market.stage.api, market.stage.user, paymentId, await paymentIntent(market.stage.api, paymentId));
    session.more = { links: [{ type: 'terms_of_service', url: 'https://example.com/other' }] };
    await expect.poll(async () => (await complete('ucp', session.id, { key })).problem?.code).toBe('settle.amount_changed');
    expect(market.ucp.to('/complete')).toEqual([]);
    expect(await market.ledger()).toEqual(before);
  });

  it('is refused when the payee changed the order between the look and the permit', async () => {
    const session = market.ucp.order(4400);
    let looks = 0;
    market.ucp.instead = ({ method }) => { if (method === 'GET' && ++looks === 2) session.amount = 4401; return undefined; };
    expect(await complete('ucp', session.id)).toMatchObject({ status: 409, problem: { code: 'settle.amount_changed' } });
    expect(market.ucp.to('/complete')).toEqual([]);
    expect(market.ucp.captured).toEqual([]);
  });

  it.each([['before', false], ['after', true]] as const)('whose payee hung up %s it captured is paid once, however often it is repeated', async (_, captures) => {
    const [{ id }, key, before] = [market.acp.order(4500), fresh(), await market.ledger()];
    let hung = 0;
    if (captures) market.acp.hangUpAfter = 1;
    else market.acp.instead = ({ url }) => (url.endsWith('/complete') && hung++ === 0 ? 'hang up' : undefined);
    expect(await complete('acp', id, { key })).toMatchObject({ status: 502, problem: { code: 'payee.unreachable' } });
    for (let again = 0; again < 3; again++) expect(await complete('acp', id, { key })).toMatchObject({ status: 200 });
    expect(market.acp.captured).toEqual([id]);
    await expect.poll(() => market.ledger()).toEqual({ ...before, spent: before.spent + 4500 });
  });

  it.each([['ucp', 409], ['acp', 422]] as const)('over %s with the key of another one is a conflict, in its dialect', async (protocol, status) => {
    const [first, second, key] = [market[protocol].order(4600), market[protocol].order(4601), fresh()];
    await complete(protocol, first.id, { key });
    const conflict = await complete(protocol, second.id, { key });
    expect(conflict).toMatchObject({ status, problem: { code: 'intake.idempotency_conflict' } });
    expect(conflict.body).toContain('idempotency_conflict');
    expect(market[protocol].captured).toEqual([first.id]);
  });

  it('that comes twice at once is at work once', async () => {
    const { id } = market.acp.order(4700);
    const url = `/x/acp/${market.acp.host}/checkout_sessions/${id}/complete`;
    const one = `POST ${url} HTTP/1.1\r\nhost: ari\r\napi-version: 2026-04-17\r\nidempotency-key: ${fresh()}\r\nari-task: birthday\r\ncontent-length: ${ACP_BODY.length}\r\n`;
    const text = (await market.write(`${one}\r\n${ACP_BODY}${one}connection: close\r\n\r\n${ACP_BODY}`)).toString();
    expect(text).toContain('HTTP/1.1 200');
    expect(text).toContain('idempotency_in_flight');
    expect(market.acp.captured).toEqual([id]);
  });
});

describe('a sidecar that is killed between the permit and the call', () => {
  it('goes on with the same payment when the agent asks again', async () => {
    const [{ id }, key, before] = [market.ucp.order(5100), fresh(), await market.ledger()];
    let looks = 0;
    market.ucp.instead = ({ method }) => { if (method === 'GET' && ++looks === 2) void market.stage.sidecar.stop('SIGKILL'); return undefined; };
    const asked = await complete('ucp', id, { key }).catch(() => null);
    expect(asked?.status).not.toBe(200);
    expect((await market.ledger()).reserved).toBe(before.reserved + 5100);
    await market.restartSidecar();
    await expect.poll(async () => (await complete('ucp', id, { key })).status, { timeout: 10_000 }).toBe(200);
    expect(market.ucp.captured).toEqual([id]);
    expect(await market.ledger()).toEqual({ ...before, spent: before.spent + 5100 });
  }, 30_000);
});

describe('terms that are not clear', () => {
  const session = (bytes: (text: string) => string) => { market.ucp.instead = ({ method, url }) => { const known = market.ucp.sessions.get(url.split('/').at(-1) ?? ''); return method === 'GET' && known ? { status: 200, bytes: bytes(JSON.stringify(market.ucp.view(known))) } : undefined; }; };
  it.each([
    ['two totals', 'money.total_ambiguous', (text: string) => text.replace(/\{"type":"subtotal","amount":4800\}\]?,\{"type":"total","amount":4800\}\],"links"/, '{"type":"total","amount":1},{"type":"total","amount":4800}],"links"')],
    ['no total', 'money.total_ambiguous', (text: string) => text.replaceAll('"type":"total"', '"type":"fee"')],
    ['a fraction', 'money.not_integer', (text: string) => text.replaceAll('4800', '48.5')],
    ['an integer that is written as a fraction', 'money.not_integer', (text: string) => text.replaceAll('4800', '48.00')],
    ['an exponent', 'money.not_integer', (text: string) => text.replaceAll('4800', '48e2')],
    ['more than 2^53', 'money.not_integer', (text: string) => text.replaceAll('4800', '9007199254740993')],
    ['a key twice', 'intake.json_ambiguous', (text: string) => text.replace('"currency":"CNY"', '"currency":"CNY","currency":"CNY"')],
    ['a currency that is none', 'money.currency_unknown', (text: string) => text.replace('"CNY"', '"XXX"')],
    ['another session', 'terms.other', (text: string) => text.replace(/"id":"chk_\d+"/, '"id":"chk_0"')],
    ['an order that cannot be paid yet', 'terms.not_ready', (text: string) => text.replace('ready_for_complete', 'incomplete')],
    ['a handler that is not offered', 'terms.credential', (text: string) => text.replaceAll(HANDLER, 'other')],
  ] as const)('are refused: %s', async (_, code, change) => {
    const { id } = market.ucp.order(4800);
    session(change);
    expect(await complete('ucp', id)).toMatchObject({ problem: { code } });
    expect(market.ucp.to('/complete')).toEqual([]);
  });

  it('are refused when the payee answers with a redirect, which nobody follows', async () => {
    const { id } = market.ucp.order(4900);
    market.ucp.instead = ({ method }) => (method === 'GET' ? { status: 307, headers: { location: `${market.stranger.origin}/ucp/v1/checkout-sessions/${id}` } } : undefined);
    expect(await complete('ucp', id)).toMatchObject({ problem: { code: 'payee.answer' } });
    expect(market.stranger.calls).toEqual([]);
  });
});

describe('terms that the payee signs', () => {
  it('are grade A, over ucp and over ap2; a wrong signature is refused, and over ap2 none is', async () => {
    market.ucp.signs = 'well';
    for (const as of ['ucp', 'ap2']) {
      const answer = await complete('ucp', market.ucp.order(5000).id, { as });
      expect(answer.status).toBe(200);
      expect(JSON.parse((await market.send('GET', `/v1/payments/${answer.headers['ari-payment-id']}/bundle`)).body)).toMatchObject({ intent: { protocol: as, grade: 'A' } });
    }
    market.ucp.forget();
    market.ucp.signs = 'badly';
    expect(await complete('ucp', market.ucp.order(5001).id)).toMatchObject({ problem: { code: 'terms.unsigned' } });
    market.ucp.signs = null;
    expect(await complete('ucp', market.ucp.order(5002).id, { as: 'ap2' })).toMatchObject({ problem: { code: 'terms.unsigned' } });
    expect(market.ucp.to('/complete')).toEqual([]);
  });
});

describe('a request that is not clear', () => {
  const id = 'chk_1';
  it.each([
    ['a key twice in its body', 'intake.json_ambiguous', { body: UCP_BODY.replace('{"payment"', '{"payment":{},"payment"') }],
    ['a fraction in its body', 'money.not_integer', { body: UCP_BODY.replace('{"payment"', '{"tip":0.5,"payment"') }],
    ['another credential', 'terms.credential', { body: UCP_BODY.replace('ari.execution', 'spt') }],
    ['no idempotency key', 'intake.malformed', { key: ' ' }],
    ['headers of another protocol', 'intake.profile_mismatch', { headers: { 'api-version': '2026-04-17' } }],
    ['another protocol in its path', 'intake.target', { as: 'acp' }],
    ['a digest of another body', 'intake.digest', { headers: { 'content-digest': `sha-256=:${Buffer.alloc(32).toString('base64')}:` } }],
    ['a header that names another method', 'intake.target', { headers: { 'x-http-method-override': 'GET' } }],
    ['an encoded slash', 'intake.target', { path: '/ucp/v1/checkout-sessions/chk_1%2Fcomplete' }],
    ['an encoded letter', 'intake.target', { path: '/ucp/v1/checkout-sessions/chk_1/%63omplete' }],
    ['dots', 'intake.target', { path: '/ucp/v1/checkout-sessions/chk_2/../chk_1/complete' }],
    ['two slashes', 'intake.target', { path: '/ucp/v1/checkout-sessions/chk_1//complete' }],
    ['a slash at its end', 'intake.target', { path: '/ucp/v1/checkout-sessions/chk_1/complete/' }],
    ['other letters', 'intake.target', { path: '/ucp/v1/checkout-sessions/chk_1/Complete' }],
    ['a query', 'intake.target', { path: '/ucp/v1/checkout-sessions/chk_1/complete?x=1' }],
    ['no operation of the protocol', 'intake.target', { path: '/mcp' }],
  ])('never reaches the payee: %s', async (_, code, how) => {
    market.ucp.order(100);
    expect(await complete('ucp', id, how)).toMatchObject({ problem: { code: code === 'intake.malformed' ? expect.stringMatching(/^intake\./) : code } });
    expect(market.ucp.calls.filter(({ method }) => method !== 'GET')).toEqual([]);
  });

  it('with two lengths is not read at all', async () => {
    const head = `POST /x/ucp/${market.ucp.host}${PATHS.ucp} HTTP/1.1\r\nhost: ari\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n`;
    expect((await market.write(`${head}0\r\n\r\nPOST /x/ucp/${market.ucp.host}${PATHS.ucp} HTTP/1.1\r\nhost: ari\r\ncontent-length: 0\r\n\r\n`)).toString()).toContain('intake.malformed');
    expect(market.ucp.calls).toEqual([]);
  });

  it('to a payee that no mandate names, or to no clear host, goes nowhere', async () => {
    const port = market.ucp.host.split(':')[1];
    expect(await market.send('GET', `/x/ucp/${market.stranger.host}/.well-known/ucp`)).toMatchObject({ status: 403, problem: { code: 'payee.origin' } });
    for (const host of [`127.0.0.1:${port}`, `localhost.:${port}`, `LOCALHOST:${port}`, `user@localhost:${port}`, `localhost:0${port}`, `localhost%2e:${port}`, `0x7f.1:${port}`, `lоcalhost:${port}`, 'localhost:443']) {
      expect((await market.send('GET', `/x/ucp/${encodeURI(host)}/.well-known/ucp`)).problem?.code).toMatch(/^(?:intake\.target|payee\.origin)$/);
    }
    expect([...market.stranger.calls, ...market.ucp.calls]).toEqual([]);
  });

  it('of an unknown protocol is refused', async () => {
    expect(await market.send('GET', `/x/mcp/${market.ucp.host}/mcp`)).toMatchObject({ status: 404, problem: { code: 'intake.protocol' } });
  });
});

describe('what does not pay', () => {
  it('goes to the payee and back as it is, also an error and a redirect', async () => {
    market.ucp.instead = () => ({ status: 302, headers: { location: 'https://example.com/', 'x-own': 'yes', 'ari-payment-id': 'forged' }, bytes: '{"a":1.50, "a":2}' });
    const answer = await market.send('POST', `/x/ucp/${market.ucp.host}${PATHS.ucp}`, { ...HEADERS.ucp, 'content-type': 'application/json', connection: 'x-drop', 'x-drop': '1' }, '{"a" : 1.50}');
    expect(answer).toMatchObject({ status: 302, body: '{"a":1.50, "a":2}', headers: { location: 'https://example.com/', 'x-own': 'yes' } });
    expect(answer.headers).not.toHaveProperty('ari-payment-id');
    expect(market.ucp.calls[0]?.body.toString()).toBe('{"a" : 1.50}');
  });
});

describe('an x402 payment', () => {
  const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');
  const payment = (change: object = {}) => ({ x402Version: 2, accepted: market.x402.requirement(), payload: {}, extensions: { 'payment-identifier': { info: { required: true, id: fresh() }, schema: {} } }, ...change });
  const ask = (value: unknown, headers: Record<string, string> = {}) => market.send('GET', `/x/x402/${market.x402.host}/report`, { 'ari-task': 'birthday', 'payment-signature': encoded(value), ...headers });

  it('is made for what the payee offers at this moment, once for its identifier', async () => {
    const own = payment();
    expect(await ask(own)).toMatchObject({ status: 200, body: '{"report":"the weather"}' });
    expect(await ask(own)).toMatchObject({ status: 200 });
    expect(market.x402.captured).toHaveLength(1);
    expect(await ask({ ...own, accepted: { ...own.accepted, amount: '1' } })).toMatchObject({ status: 402, problem: { code: 'terms.other' } });
  });

  it('is not needed where the payee asks for none', async () => {
    expect(await market.send('GET', `/x/x402/${market.x402.host}/free`, { 'payment-signature': encoded(payment()) })).toMatchObject({ status: 200, body: '{"report":"free"}' });
  });

  it.each([
    ['a lower amount', 'terms.other', () => payment({ accepted: { ...market.x402.requirement(), amount: '1' } })],
    ['another payee', 'terms.other', () => payment({ accepted: { ...market.x402.requirement(), payTo: 'mallory' } })],
    ['a chain', 'terms.credential', () => payment({ accepted: (market.x402.required('/report')['accepts'] as object[])[0] })],
    ['a payload of another wallet', 'terms.credential', () => payment({ payload: { signature: '0x00' } })],
    ['an extension without what the payee said', 'terms.other', () => payment({ extensions: { 'payment-identifier': { info: { id: fresh() }, schema: {} } } })],
    ['no identifier', 'terms.other', () => payment({ extensions: {} })],
    ['version 1', 'intake.malformed', () => payment({ x402Version: 1 })],
  ])('is refused with %s, and the payee sees no payment', async (_, code, value) => {
    const answer = await ask(value(), { 'idempotency-key': fresh() });
    expect(answer.problem?.code).toBe(code);
    expect(JSON.parse(Buffer.from(answer.headers['payment-response'] ?? '', 'base64').toString())).toMatchObject({ success: false, errorReason: code });
    expect(market.x402.calls.filter(({ headers }) => 'payment-signature' in headers)).toEqual([]);
  });

  it('is refused with headers of both versions', async () => {
    expect((await ask(payment(), { 'x-payment': 'e30=' })).problem?.code).toBe('intake.profile_mismatch');
    expect(market.x402.calls).toEqual([]);
  });
});
