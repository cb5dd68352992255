/** A seller of reports over x402, whose facilitator is the carrier issuer. */
import { canonical } from '../../../src/base/json.js';
import { type Call, Payee, type Said } from './payee.js';

const encoded = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString('base64');
export interface Payment { accepted: Record<string, unknown>; payload: Record<string, string>; extensions: Record<string, { info: Record<string, unknown> }> }

export class ReportSeller extends Payee {
  amount = '1990';
  asset = 'CNY';
  /** Beside the carrier, which the agent can take. */
  private readonly paid = new Set<string>();

  requirement(): Record<string, unknown> {
    return { scheme: 'exact', network: 'ari:carrier.example', amount: this.amount, asset: this.asset, payTo: 'merchant', maxTimeoutSeconds: 60, extra: { name: 'Reports' } };
  }

  required(url: string): Record<string, unknown> {
    return {
      x402Version: 2, error: 'PAYMENT-SIGNATURE header is required', resource: { url: `${this.origin}${url}` }, extensions: { 'payment-identifier': { info: { required: true }, schema: {} } },
      accepts: [{ scheme: 'exact', network: 'eip155:84532', amount: '10000', asset: '0x036CbD53842c5426634e7929541eC2318f3dCF7e', payTo: '0x209693Bc6afc0C5328bA36FaF03C514EF312287C', maxTimeoutSeconds: 60, extra: {} }, this.requirement()],
    };
  }

  protected async answer(call: Call): Promise<Said> {
    if (call.url.startsWith('/free')) return { status: 200, body: { report: 'free' } };
    const header = call.headers['payment-signature'];
    if (typeof header !== 'string') return { status: 402, headers: { 'payment-required': encoded(this.required(call.url)) }, body: {} };
    const { accepted, payload, extensions } = JSON.parse(Buffer.from(header, 'base64').toString()) as Payment;
    const id = String(extensions['payment-identifier']?.info['id']);
    const network = 'ari:carrier.example';
    if (!this.paid.has(id)) {
      const shown = { token: payload['execution_token'] ?? '', mandate: payload['mandate'] ?? '', closedMandate: payload['closed_mandate'] ?? '' };
      const settled = canonical(accepted as never) === canonical(this.requirement() as never) && (await this.capture(shown, Number(this.amount))).state === 'settled';
      if (!settled) return { status: 402, headers: { 'payment-response': encoded({ success: false, errorReason: 'invalid_payment', transaction: '', network }) }, body: {} };
      this.paid.add(id);
      this.captured.push(id);
    }
    return { status: 200, headers: { 'payment-response': encoded({ success: true, transaction: id, network }) }, body: { report: 'the weather' } };
  }
}
