import { expect } from 'vitest';
import { parseBootLog, readCcSecureBoot, typeName } from '../../attest/boot/index.js';
import { codeOf } from '../support/fault.js';
import { type Vector, read, readJson, runVectors, skip, vectorsOf } from './run.js';

interface Decoded { uefi_event_logs: { index: number; type_name: string; event: string; digests: { alg: string; digest: string }[] }[] }

/** CC event logs: the agile format, where the index is that of a measurement register, and the ACPI area is padded with FF. */
function check({ file, expected }: Vector<{ expectedJson?: string; is?: string }>): void {
  if (expected.is?.startsWith('expected decode') === true) return skip('the decode of the log beside it');
  if (expected.is?.startsWith('ACPI') === true) return expect(codeOf(() => parseBootLog(read(file)))).toBe('boot.malformed');
  const log = parseBootLog(read(file));
  const [bank] = log.banks;
  expect({ bank, banks: log.banks.length }).toEqual({ bank: file.endsWith('csv') ? 'sm3_256' : 'sha384', banks: 1 });
  expect(log.registers).toBe('mr');
  expect(readCcSecureBoot(log, bank!), 'none of these machines had it on').toMatchObject({ known: true, state: { enabled: false } });
  expect(log.events.every(({ pcr }, i) => i === 0 || (pcr >= 1 && pcr <= 4))).toBe(true);
  if (expected.expectedJson === undefined) return;
  const { uefi_event_logs: decoded } = readJson<Decoded>(`${file.slice(0, file.lastIndexOf('/'))}/${expected.expectedJson}`);
  expect(log.events.slice(1).map(({ pcr, type, data, digests }) => ({ pcr, type: typeName(type), data: data.toString('base64'), digest: digests[bank]!.toString('hex') })))
    .toEqual(decoded.map(({ index, type_name, event, digests }) => ({ pcr: index, type: type_name, data: event, digest: digests[0]!.digest })));
}

runVectors('tee-ccel', vectorsOf('tee-ccel'), check);
