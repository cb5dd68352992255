/** A refusal in the words of the protocol in which was asked, so that an agent framework understands it without knowing this project. */
import { canonical, type Json } from '../base/json.js';
import type { Code } from '../codes.js';
import type { Dialect } from './terms.js';

export interface Refused { readonly code: Code; readonly status: number; readonly message: string; /** Whether the user has to do something. */ readonly waits: boolean }
interface Answer { readonly status: number; readonly headers: readonly (readonly [string, string])[]; readonly body: string }

/** UCP's newest released version, in which its error is written. */
const UCP_VERSION = '2026-04-08';

/** The names and statuses that a protocol gives to an idempotency key; all else keeps its own. */
const IDEMPOTENCY: Readonly<Record<'acp' | 'ucp', Partial<Record<Code, { readonly code: string; readonly status: number }>>>> = {
  acp: {
    'intake.idempotency_missing': { code: 'idempotency_key_required', status: 400 },
    'intake.idempotency_conflict': { code: 'idempotency_conflict', status: 422 },
    'intake.in_flight': { code: 'idempotency_in_flight', status: 409 },
  },
  ucp: { 'intake.idempotency_conflict': { code: 'idempotency_conflict', status: 409 } },
};

export function answerIn(protocol: Dialect, refused: Refused): Answer {
  const retry: [string, string][] = refused.code === 'intake.in_flight' ? [['retry-after', '1']] : [];
  if (protocol === 'x402') return x402Answer(refused, retry);
  const dialect = protocol === 'acp' ? 'acp' : 'ucp';
  const { code, status } = IDEMPOTENCY[dialect][refused.code] ?? refused;
  return { status, headers: retry, body: canonical(dialect === 'acp' ? acpError(code, refused) : ucpError(code, refused)) };
}

/** 402 for every no. A request that is wrong in itself keeps its status; an identifier that came with another payload is a 409. */
function x402Answer({ code, status, message }: Refused, retry: [string, string][]): Answer {
  const settlement = Buffer.from(canonical({ success: false, errorReason: code, transaction: '', network: 'ari:none' })).toString('base64');
  const own = code === 'intake.idempotency_conflict' ? 409 : status === 403 ? 402 : status;
  return { status: own, headers: [...retry, ['payment-response', settlement]], body: canonical({ error: code, message }) };
}

/** ACP's `Error`: type is a closed set. */
const acpError = (code: string, { status, message }: Refused): Json => ({ type: status === 503 ? 'service_unavailable' : status < 500 && status !== 402 && status !== 403 ? 'invalid_request' : 'processing_error', code, message });

const ucpError = (code: string, { message, status, waits }: Refused): Json => ({
  ucp: { version: UCP_VERSION, status: 'error' },
  messages: [{ type: 'error', code, content: message, severity: waits ? 'requires_buyer_review' : status === 403 ? 'unrecoverable' : 'recoverable' }],
});
