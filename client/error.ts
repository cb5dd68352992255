import { asFault } from '../src/base/fault.js';
import { parseJson } from '../src/base/json.js';
import { decode } from '../src/base/shape.js';
import { paymentView, type PaymentView } from '../src/agentapi.js';

type Members = Record<string, unknown>;
const textOf = (value: unknown, otherwise: string): string => (typeof value === 'string' ? value : otherwise);

/** Why there is no payment: a stable `code` (docs/codes.md), what to do in `fix`, and the payment when one was decided. */
export class AriError extends Error {
  readonly code: string;
  /** HTTP status, or the status the code has in general. */
  readonly status: number;
  readonly fix: string;
  readonly payment: PaymentView | null;

  constructor(code: string, status: number, message: string, fix: string, payment: PaymentView | null = null, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'AriError';
    this.code = code;
    this.status = status;
    this.fix = fix;
    this.payment = payment;
  }

  static of(error: unknown): AriError {
    if (error instanceof AriError) return error;
    const { code, status, message, fix } = asFault(error);
    return new AriError(code, status, message, fix, null, error);
  }

  /** From an RFC 9457 problem as the sidecar sends it. */
  static fromProblem(status: number, body: string): AriError {
    const problem = parseJson(body) as Members | null;
    const { code, title, detail, fix, payment } = problem ?? {};
    const view = payment === undefined ? null : decode(paymentView, payment, 'payment');
    return new AriError(textOf(code, textOf(title, 'link.protocol')), status, textOf(detail, `the sidecar answered ${status}`), textOf(fix, ''), view);
  }
}
