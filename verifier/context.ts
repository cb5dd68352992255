/** What the parts of one verifier process share. Time and randomness come in here, so that tests can hold them. */
import type { Logger } from 'pino';
import { newId } from '../src/base/id.js';
import { toB64u } from '../src/base/bytes.js';
import type { IdPrefix } from '../src/names.js';
import type { VerifierConfig } from './config.js';
import type { Hub } from './hub.js';
import type { Keys } from './keys.js';
import type { DepositLog } from './log.js';
import type { Manifests } from './manifests.js';
import type { Outbox } from './outbox.js';
import type { Nonces } from './nonces.js';
import type { Pace } from './pace.js';
import type { Platforms } from './platforms.js';
import type { Settlement } from './settle.js';
import type { StatusLists } from './statuses.js';
import type { Store } from './store/verbs.js';
import type { Trust } from './trust.js';

export interface Verifier {
  readonly config: VerifierConfig;
  readonly keys: Keys;
  readonly trust: Trust;
  readonly store: Store;
  readonly nonces: Nonces;
  readonly pace: Pace;
  readonly platforms: Platforms;
  readonly manifests: Manifests;
  readonly log: DepositLog;
  readonly hub: Hub;
  readonly outbox: Outbox;
  /** Aborted when the process ends: whoever waits for something then waits no longer. */
  readonly stopping: AbortSignal;
  readonly settlement: Settlement;
  readonly statuses: StatusLists;
  readonly logger: Logger;
  readonly now: () => number;
  readonly random: (bytes: number) => Buffer;
}

export const freshId = (v: Pick<Verifier, 'now' | 'random'>, prefix: IdPrefix): string => newId(prefix, v.now(), v.random(10));
/** 128 bits: what makes a hash of guessable content unguessable. */
export const freshSalt = (v: Pick<Verifier, 'random'>): string => toB64u(v.random(16));
