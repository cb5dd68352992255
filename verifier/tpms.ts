/** Whom this verifier believes about TPMs: the shipped set of vendors' roots or files of the operator, revocation lists and the block list. Read once, at start. */
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TpmTrust } from '../attest/enrol/index.js';
import { type BlockList, blockList } from '../attest/x509/blocklist.js';
import { type RevocationList, readCrls } from '../attest/x509/crl.js';
import { readAuthoritySet } from '../attest/x509/dataset.js';
import { type AnchorUse, type PinnedRoot, pinRoots } from '../attest/x509/roots.js';
import { Fault, fault } from '../src/base/fault.js';
import { parse } from '../src/base/shape.js';
import { BUILTIN, readText, type VerifierConfig } from './config.js';

/** A file of the package's `data` folder, run from its sources or built. */
function dataFile(name: string): string {
  const candidates = ['../data/', '../../data/'].map((folder) => fileURLToPath(new URL(`${folder}${name}`, import.meta.url)));
  return candidates.find((path) => existsSync(path)) ?? candidates[0]!;
}

/** The shipped authorities. @throws Fault config.unreadable, config.invalid */
export function builtinAuthorities(): ReturnType<typeof readAuthoritySet> {
  const file = dataFile('ek-roots/certificates.json');
  return readAuthoritySet(readText(file), file);
}

function pinned(file: string, simulated: boolean, uses: readonly AnchorUse[]): PinnedRoot[] {
  const roots = readAs(file, () => pinRoots(readText(file), { simulated, uses }));
  if (roots.length === 0) throw fault('config.invalid', { file, what: 'there is no certificate in it' });
  return roots;
}

/** What cannot be read is the operator's to mend, by the name of its file. */
function readAs<T>(file: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof Fault && (error.code === 'cert.malformed' || error.code === 'intake.malformed') ? new Fault('config.invalid', { file, what: error.message }, error) : error;
  }
}

function bytesOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw fault('config.unreadable', { file, what: (cause as NodeJS.ErrnoException).code ?? 'error' });
  }
}

function listsIn(dir: string): RevocationList[] {
  let names: string[];
  try {
    names = readdirSync(dir).sort();
  } catch (cause) {
    throw fault('config.unreadable', { file: dir, what: (cause as NodeJS.ErrnoException).code ?? 'error' });
  }
  return names.filter((name) => name.endsWith('.crl')).flatMap((name) => readAs(join(dir, name), () => readCrls(bytesOf(join(dir, name)))));
}

function blockListOf(file: string): BlockList {
  const path = file === BUILTIN ? dataFile('tpm-blocklist.json') : file;
  return readAs(path, () => parse(blockList, readText(path), path));
}

/** @throws Fault config.unreadable, config.invalid */
export function loadTpmTrust({ ekRoots, akRoots, testRoots, crlDir, crlStale, blockListFile }: VerifierConfig['trust']): TpmTrust {
  const wantsBuiltin = ekRoots.includes(BUILTIN) || akRoots.includes(BUILTIN);
  const shipped = wantsBuiltin ? builtinAuthorities() : { roots: [], intermediates: [] };
  const chosen = (use: AnchorUse, files: readonly string[]): PinnedRoot[] => files.flatMap((file) =>
    (file === BUILTIN ? shipped.roots.filter(({ uses }) => uses.includes(use)).map((root) => ({ ...root, uses: [use] })) : pinned(file, false, [use])));
  return {
    roots: [...chosen('ek', ekRoots), ...chosen('ak', akRoots), ...testRoots.flatMap((file) => pinned(file, true, ['ek', 'ak']))],
    intermediates: shipped.intermediates,
    revocations: { lists: crlDir === undefined ? [] : listsIn(crlDir), refuseStale: crlStale === 'refuse' },
    blockList: blockListOf(blockListFile),
  };
}
