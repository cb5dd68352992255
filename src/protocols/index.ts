/** The payment protocols that other agents and merchants speak, each as a pure translator between its messages and what is proven and decided here. */
import { digest } from '../base/bytes.js';
import { fault } from '../base/fault.js';
import { acpPaying } from './acp.js';
import { type Asked, headerOf, type Paying } from './terms.js';
import type { Target } from './target.js';
import { ucpPaying } from './ucp.js';
import { x402Paying } from './x402.js';

export { answerIn, type Refused } from './refusal.js';
export { assertSealed, PROFILE_PATH } from './seal.js';
export { type Target, targetOf } from './target.js';
export { type Answered, type Asked, type Dialect, headerOf, type Paying, type Presented, stillStands, type Terms } from './terms.js';

/** A digest that the agent sent over its body must be that of the body: the payee would refuse it after the money was reserved. @throws Fault intake.digest */
function assertDigest(request: Asked): void {
  const said = headerOf(request, 'content-digest');
  const [, value] = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):/.exec(said ?? '') ?? [];
  if (said !== null && value !== digest(request.body).toString('base64')) throw fault('intake.digest');
}

/** What a request pays; null when it pays nothing and goes to the payee as it is. @throws Fault intake.*, terms.* */
export function payingOf({ protocol, origin }: Target, request: Asked): Paying | null {
  assertDigest(request);
  switch (protocol) {
    case 'acp': return acpPaying(request);
    case 'x402': return x402Paying(request, `${origin}${request.path}`);
    default: return ucpPaying(request, protocol);
  }
}
