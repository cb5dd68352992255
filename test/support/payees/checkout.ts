/** Florists that sell over UCP and over ACP. The shapes are those of the protocols' own schemas, which test/vectors holds them against. */
import { generateKeyPairSync } from 'node:crypto';
import { canonical } from '../../../src/base/json.js';
import { signerOf } from '../../../src/base/jws.js';
import { toB64u } from '../../../src/base/bytes.js';
import { type Call, Payee, type Said, shownIn } from './payee.js';

export interface Session { id: string; status: string; currency: string; amount: number; /** Beside what the protocol demands. */ more: Record<string, unknown> }
/** The id under which these payees take a fund carrier. */
export const HANDLER = 'carrier_1';

abstract class Florist extends Payee {
  readonly sessions = new Map<string, Session>();
  /** By idempotency key: what was answered, for which body. */
  private readonly known = new Map<string, { body: string; said: Said }>();
  protected abstract readonly ready: string;
  protected abstract readonly folder: string;
  protected abstract readonly conflict: number;
  abstract view(session: Session): Record<string, unknown>;
  protected abstract error(code: string): unknown;

  order(amount: number, more: Record<string, unknown> = {}): Session {
    const session = { id: `chk_${this.sessions.size + 1}`, status: this.ready, currency: 'CNY', amount, more };
    this.sessions.set(session.id, session);
    return session;
  }

  protected async answer(call: Call): Promise<Said> {
    const [, id = '', verb] = new RegExp(`/${this.folder}(?:/([^/]+))?(?:/(complete))?$`).exec(call.url) ?? [];
    if (call.method === 'POST' && id === '') return { status: 201, body: this.view(this.order(9900)) };
    const session = this.sessions.get(id);
    if (!session) return { status: 404, body: this.error('not_found') };
    if (verb === undefined) return { status: 200, body: this.view(session) };
    const key = String(call.headers['idempotency-key']);
    const before = this.known.get(key);
    if (before) return before.body === call.body.toString() ? before.said : { status: this.conflict, body: this.error('idempotency_conflict') };
    const said = await this.complete(call, session);
    if (said.status < 500) this.known.set(key, { body: call.body.toString(), said });
    return said;
  }

  private async complete(call: Call, session: Session): Promise<Said> {
    const shown = shownIn(call);
    if (!shown || session.status !== this.ready) return { status: 402, body: this.error('payment_required') };
    const { state } = await this.capture(shown, session.amount);
    if (state !== 'settled') return { status: 402, body: this.error('payment_declined') };
    this.captured.push(session.id);
    session.status = 'completed';
    return { status: 200, body: { ...this.view(session), order: { id: `ord_${session.id}`, checkout_session_id: session.id, permalink_url: `${this.origin}/orders/1` } } };
  }
}

const HANDLED = [{ id: HANDLER, version: '2026-04-08', spec: 'https://example.com/spec', schema: 'https://example.com/schema' }];

export class UcpFlorist extends Florist {
  protected readonly ready = 'ready_for_complete';
  protected readonly folder = 'checkout-sessions';
  protected readonly conflict = 409;
  /** Signs its sessions (`ap2.merchant_authorization`) when it is set. */
  signs: 'well' | 'badly' | null = null;
  private readonly key = signerOf(generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey, 'shop-1');

  view({ id, status, currency, amount, more }: Session): Record<string, unknown> {
    const checkout = {
      ucp: { version: '2026-04-08', status: 'success', payment_handlers: { 'example.ari.fund_carrier': HANDLED } }, id, status, currency,
      line_items: [{ id: 'li_1', item: { id: 'tulips', title: 'Tulips', price: amount }, quantity: 1, totals: [{ type: 'subtotal', amount }, { type: 'total', amount }] }],
      totals: [{ type: 'subtotal', amount }, { type: 'total', amount }], links: [{ type: 'terms_of_service', url: 'https://example.com/terms' }], ...more,
    };
    return this.signs === null ? checkout : { ...checkout, ap2: { merchant_authorization: this.authorization(this.signs === 'well' ? checkout : { ...checkout, currency: 'EUR' }) } };
  }

  private authorization(checkout: object): string {
    const head = toB64u(Buffer.from(canonical({ alg: 'ES256', kid: this.key.kid })));
    return `${head}..${toB64u(this.key.sign(Buffer.from(`${head}.${toB64u(Buffer.from(canonical(checkout)))}`)))}`;
  }

  protected error = (code: string): unknown => ({ ucp: { version: '2026-04-08', status: 'error' }, messages: [{ type: 'error', code, content: code, severity: 'recoverable' }] });

  protected override answer(call: Call): Promise<Said> {
    if (call.url === '/.well-known/ucp') return Promise.resolve({ status: 200, body: { ucp: { version: '2026-04-08' }, signing_keys: [{ kid: this.key.kid, alg: 'ES256', use: 'sig', ...this.key.jwk }] } });
    return super.answer(call);
  }
}

export class AcpFlorist extends Florist {
  protected readonly ready = 'ready_for_payment';
  protected readonly folder = 'checkout_sessions';
  protected readonly conflict = 422;

  view({ id, status, currency, amount, more }: Session): Record<string, unknown> {
    const total = (type: string) => ({ type, display_text: type, amount });
    return {
      id, status, currency: currency.toLowerCase(), protocol: { version: '2026-04-17' },
      capabilities: { payment: { handlers: [{ id: HANDLER, spec: HANDLED[0]!.spec, name: 'example.ari.fund_carrier', version: '2026-04-17', requires_delegate_payment: false, requires_pci_compliance: false, psp: 'ari', config_schema: 'https://example.com/config', instrument_schemas: ['https://example.com/instrument'], config: { merchant_id: 'florist' } }] } },
      line_items: [{ id: 'li_1', item: { id: 'tulips' }, quantity: 1, totals: [total('items_base_amount'), total('total')] }],
      totals: [total('items_base_amount'), total('subtotal'), total('total')], fulfillment_options: [], messages: [], links: [], ...more,
    };
  }

  protected error = (code: string): unknown => ({ type: 'invalid_request', code, message: code });
}
