/** Errors as the agent sees them: RFC 9457 problems with the code and what to do. Causes never leave the process. */
import { STATUS_CODES } from 'node:http';
import { asFault, type Fault } from '../../src/base/fault.js';
import type { Json } from '../../src/base/json.js';
import { encode } from '../../src/base/shape.js';
import { paymentStatus, paymentView, type PaymentView } from '../../src/agentapi.js';
import { CODES } from '../../src/codes.js';

export const PROBLEM = 'application/problem+json';
export interface Answer { readonly status: number; readonly type: string; readonly body: string }

export function problemAnswer(error: unknown): Answer {
  const problem = asFault(error).problem();
  return { status: problem.status, type: PROBLEM, body: JSON.stringify(problem) };
}

/** The answer to a request to pay: the payment, or the problem that says why there is none, with the payment inside. */
export function paymentAnswer(view: PaymentView): Answer {
  const status = paymentStatus(view.state);
  const payment = encode(paymentView, view);
  if (status < 400) return { status, type: 'application/json', body: JSON.stringify(payment) };
  return { status, type: PROBLEM, body: JSON.stringify(refusal(status, view, payment)) };
}

function refusal(status: number, { code, message, state }: PaymentView, payment: Json): Json {
  const title = code ?? state;
  return { type: `tag:ari.example,2026:code/${title}`, title, status, detail: message ?? `the payment is ${state}`, code, fix: code === null ? null : CODES[code].fix, payment };
}

/** A whole response for a connection that HTTP cannot answer on any more. */
export function problemResponse(error: Fault): string {
  const { status, type, body } = problemAnswer(error);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\ncontent-type: ${type}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`;
}
