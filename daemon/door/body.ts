/** The request to pay, read from a stranger: bounded, strict, nothing parsed twice. */
import type { IncomingMessage } from 'node:http';
import { idempotencyKey } from '../../src/agentapi.js';
import { fault } from '../../src/base/fault.js';
import { decode, parse } from '../../src/base/shape.js';
import { paymentRequest, type PaymentRequest } from '../../src/objects/intent.js';

/** @throws Fault intake.too_large as soon as it is known, also by Content-Length alone */
export async function readBody(request: IncomingMessage, max: number): Promise<Buffer> {
  const declared = Number(request.headers['content-length'] ?? 0);
  if (declared > max) throw fault('intake.too_large', { size: declared, max });
  const pieces: Buffer[] = [];
  let size = 0;
  for await (const piece of request as AsyncIterable<Buffer>) {
    size += piece.length;
    if (size > max) throw fault('intake.too_large', { size, max });
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}

/** @throws Fault intake.* or money.* naming what is wrong */
export const parsePayment = (body: Buffer): PaymentRequest => parse(paymentRequest, body, 'payment request');

/** @throws Fault intake.idempotency_missing, intake.malformed (sent twice, too long, or no visible ASCII) */
export function keyOf(request: IncomingMessage): string {
  const key = request.headers['idempotency-key'];
  if (key === undefined || key === '') throw fault('intake.idempotency_missing');
  return decode(idempotencyKey, key, 'Idempotency-Key');
}
