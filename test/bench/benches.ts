/** The benchmarks, in the order in which they are shown. */
import * as appraisal from './appraisal.js';
import * as batch from './batch.js';
import * as deposit from './deposit.js';
import * as door from './door.js';
import * as files from './files.js';
import * as footprint from './footprint.js';
import * as growth from './growth.js';
import type { Row } from './harness.js';
import * as hostile from './hostile.js';
import * as payment from './payment.js';
import * as recheck from './recheck.js';
import * as tpm from './tpm.js';

export interface Bench { readonly name: string; readonly title: string; readonly about: string; readonly run: () => Promise<Row[]> }

export const BENCHES: readonly Bench[] = [
  { name: 'payment', title: 'One payment', about: 'Agent, sidecar, software TPM and verifier as processes of their own. From the order given to the agent until it holds receipt and bundle; then the stages as the sidecar timed them, and the TPM\'s signing time on the same TPM.', run: payment.run },
  { name: 'batch', title: 'A slow TPM', about: 'Hardware TPMs sign 2 to 10 times a second. Here every signature is held up by 200 ms: payments that arrive meanwhile share the next one.', run: batch.run },
  { name: 'appraisal', title: 'Appraisal', about: 'One core of a verifier, beside `crypto.verify` over the same bytes with an imported key: the least that any verifier must spend.', run: appraisal.run },
  { name: 'tpm', title: 'TPM commands', about: 'The package `@ari-sidecar/tpm2` beside the very same bytes over a bare Node socket, and beside tpm2-tss, the C stack, through its Python binding. In turn, on one software TPM.', run: tpm.run },
  { name: 'files', title: 'Files', about: 'The files of an agent, read for the first time and at a later payment, beside `sha256sum` over all of them. All are in the page cache.', run: files.run },
  { name: 'recheck', title: 'Looking again at an agent', about: 'What the sidecar spends at a payment on an agent that did not change: process, mappings, code pages, files. The kernel tells of changes; nothing is read twice.', run: recheck.run },
  { name: 'door', title: 'The door', about: 'The process behind a connection is named by the kernel and looked at again for each request. Beside `node:http` on a unix socket with the same answer and client, all in one process.', run: door.run },
  { name: 'deposit', title: 'The deposit chain', about: 'Leaves through the real store, each queued in a durable transaction of its own, then proofs against the length of the log.', run: deposit.run },
  { name: 'growth', title: 'Growth', about: 'What history costs: log records and IMA entries of a device, earlier payments of a store.', run: growth.run },
  { name: 'hostile', title: 'Hostile input', about: 'Logs, lists, quotes and certificates far beyond any honest size: bounded, and at most in proportion to their bytes. Before it, an honest machine\'s logs in a whole appraisal.', run: hostile.run },
  { name: 'footprint', title: 'Memory and start', about: 'Resident memory at rest, and the time from the start of the process.', run: footprint.run },
];
