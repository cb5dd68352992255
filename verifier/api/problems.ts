/** Errors as RFC 9457 problem documents: a stable code, a sentence, and what mends it; never a cause. */
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { Fault, fault } from '../../src/base/fault.js';

/** What went wrong before or in a handler, as a fault. */
export function faultOf(error: unknown, bodyLimit: number): Fault {
  if (error instanceof Fault) return error;
  const { code, statusCode, message } = error as Partial<FastifyError>;
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return fault('intake.too_large', { size: `more than ${bodyLimit}`, max: bodyLimit });
  if (statusCode !== undefined && statusCode < 500) return fault('intake.malformed', { what: message ?? 'the request' });
  return new Fault('bug.internal', {}, error);
}

export function sendProblem(request: FastifyRequest, reply: FastifyReply, refused: Fault): void {
  if (refused.code === 'bug.internal') request.log.error({ err: refused.cause }, 'request failed');
  void reply.status(refused.status).type('application/problem+json').send(JSON.stringify(refused.problem()));
}
