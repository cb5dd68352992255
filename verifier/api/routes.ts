/** All routes of the verifier. ACT's four domains are its four groups. */
import { COMMERCE } from './commerce.js';
import { DELEGATION } from './delegation.js';
import { LOG } from './log.js';
import { PAYMENT } from './payment.js';
import type { Route } from './route.js';
import { SERVICE, withDocumentation } from './service.js';
import { WATCH } from './watch.js';
import { TRUST } from './trust.js';

export const ROUTES: readonly Route[] = withDocumentation([...DELEGATION, ...COMMERCE, ...PAYMENT, ...WATCH, ...TRUST, ...LOG, ...SERVICE]);
