/** All sub-commands, in the order of `ari --help`. */
import type { Command } from 'commander';
import { auditLogs } from './audit.js';
import { carrier } from './carrier.js';
import { daemon } from './daemon.js';
import { demo } from './demo.js';
import { doctor } from './doctor.js';
import { init } from './init.js';
import { inspect } from './inspect.js';
import { mandate } from './mandate.js';
import { manifest } from './manifest.js';
import { pay } from './pay.js';
import { policy } from './policy.js';
import { run } from './run.js';
import { status } from './status.js';
import { user } from './user.js';
import { verifier } from './verifier.js';
import { verify } from './verify.js';

export const commands: ((ari: Command) => void)[] = [demo, init, daemon, run, status, doctor, pay, manifest, user, mandate, carrier, verifier, policy, verify, auditLogs, inspect];
