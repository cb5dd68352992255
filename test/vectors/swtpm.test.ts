import { expect } from 'vitest';
import { Attest, type AttestOf, decode } from '@ari-sidecar/tpm2';
import { compare, parseBootLog, replay } from '../../attest/boot/index.js';
import { coverage, imaStart, isHonest, parseIma } from '../../attest/ima/index.js';
import { type PcrTable, coveredBy, inspectEventLog, inspectQuote } from '../../attest/inspect/index.js';
import { VECTORS } from '../support/vectors.js';
import { read, readJson, runVectors, skip } from './run.js';

const hex = (text: string): Buffer => Buffer.from(text, 'hex');

interface QuoteCase {
  id: string; expect: 'accept' | 'reject'; reason: string | null; ak: { public: string }; attest: string; signature: string;
  given: { nonce: string; pcrs: PcrTable; required?: Record<string, number[]> }; decoded: { clock: string; resetCount: number; extraData: string } | null;
}
/** Why it is refused, as our codes. */
const CODES: Record<string, string> = {
  nonce: 'quote.nonce', pcrDigest: 'quote.pcr_digest', signature: 'quote.signature', decode: 'quote.malformed', selection: 'quote.selection', type: 'quote.type', akAttributes: 'enrol.ak_attributes', magic: 'quote.magic', policy: 'quote.scheme',
};
/** Where the key itself demands a scheme, another one is refused before anything is verified. */
const SOONER = { 'n10-other-ak-same-tpm': 'quote.scheme', 'n09-truncated-signature': 'quote.malformed', 'n15-hash-labelled-sha384': 'quote.scheme' } as Record<string, string>;

function quote({ id, expect: wanted, reason, ak, attest, signature, given }: QuoteCase): void {
  if (reason === 'replay') return skip('refused for what the verifier remembers of the device: clock.reset_decreased, in test/attest');
  const required = given.required === undefined ? given.pcrs : Object.fromEntries(Object.entries(given.required).map(([bank, pcrs]) => [bank, Object.fromEntries(pcrs.map((pcr) => [String(pcr), '00'.repeat(32)]))]));
  const { ok, code } = inspectQuote({ quote: hex(attest), signature: hex(signature), ak: hex(ak.public), nonce: hex(given.nonce), pcrs: required });
  expect({ ok, code }).toEqual(wanted === 'accept' ? { ok: true, code: null } : { ok: false, code: SOONER[id] ?? CODES[reason!] });
}
runVectors('swtpm quotes', VECTORS === null ? [] : readJson<{ cases: QuoteCase[] }>('swtpm/quotes.json').cases, quote);

interface Guest { id: string; ak: string; attest: string; signature: string; nonce: string; bootLog: string; imaLog: string; result: { entries: number; quoted: number; wrongTemplateHashes: number } }
/** A real guest: its boot log gives the firmware's PCRs, its IMA list runs ahead of the quote, and together they are what was quoted. */
function guest({ ak, attest, signature, nonce, bootLog, imaLog, result }: Guest): void {
  const file = (name: string): Buffer => read(`swtpm/${name}`);
  expect(inspectQuote({ quote: file(attest), signature: file(signature), ak: file(ak), nonce: hex(nonce) })).toMatchObject({ ok: true, code: null });
  const entries = parseIma('ima-binary', file(imaLog));
  const value = decode(Attest, file(attest)) as AttestOf<'quote'>;
  expect({ entries: entries.length, quoted: coveredBy(entries, value, inspectEventLog(file(bootLog)).report.pcrs), wrong: entries.filter((entry) => !isHonest(entry)).length })
    .toEqual({ entries: result.entries, quoted: result.quoted, wrong: result.wrongTemplateHashes });
  const [bank] = value.attested.pcrSelect.map(({ hash }) => hash);
  const quoted = replay(parseBootLog(file(bootLog)), bank!);
  expect(compare(parseBootLog(file(bootLog)), bank!, quoted).every(({ standing }) => standing === 'replayed')).toBe(true);
  expect(coverage(entries, 'sha256', imaStart('sha256'), Buffer.alloc(32, 1))).toBe(null);
}
runVectors('swtpm guests', VECTORS === null ? [] : readJson<{ cases: Guest[] }>('swtpm/guests.json').cases, guest);

const ELSEWHERE = [
  ['credentials.json', 'run by tpm2/test/credential.test.ts, in `npm test`'], ['transcript.json', 'run by tpm2/test/transcript.test.ts, in `npm test`'],
  ['events.json', 'what was extended before p01; its values are in the quotes'], ['certs/', 'EK certificates of the software TPM: run with those of other makers'],
].map(([id, why]) => ({ id: id!, why: why! }));
runVectors('swtpm', ELSEWHERE, ({ why }) => skip(why));
