/** A certificate for the P-256 endorsement key in NV index 0x01c0000a, issued by the test bed's CA. Raw bytes: it must not depend on what it tests. */
import { execFile } from 'node:child_process';
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { exchange } from './index.js';

const run = promisify(execFile);
const EMPTY_PASSWORD = '00000009400000090000000000';
const PLATFORM = '4000000c';
const INDEX = '01c0000a';
const POL_A = '0020837197674484b3f81a90cc8d46a5d724fd52d76e06520b64f2a1da1b331469aa';
const EK_P256 = `0023000b000300b2${POL_A}0006008000430010000300100020${'00'.repeat(32)}0020${'00'.repeat(32)}`;
const TPM_SPEC = ['--tpm-spec-family', '2.0', '--tpm-spec-level', '0', '--tpm-spec-revision', '164', '--tpm-manufacturer', 'id:00001014', '--tpm-model', 'swtpm',
  '--tpm-version', 'id:20191023', '--tpm2'];

const sized = (hex: string): string => (hex.length / 2).toString(16).padStart(4, '0') + hex;

async function command(spec: string, code: string, handles: string, params: string, sessions = true): Promise<Buffer> {
  const body = code + handles + (sessions ? EMPTY_PASSWORD : '') + params;
  const size = (body.length / 2 + 6).toString(16).padStart(8, '0');
  const answer = await exchange(spec, Buffer.from((sessions ? '8002' : '8001') + size + body, 'hex'));
  if (answer.readUInt32BE(6) !== 0) throw new Error(`command ${code} answered 0x${answer.readUInt32BE(6).toString(16)}`);
  return answer;
}

/** CreatePrimary of template L-2, swtpm_localca over its point, NV_DefineSpace, NV_Write and NV_WriteLock under the platform hierarchy. */
export async function addEcCertificate(spec: string, dir: string): Promise<void> {
  const created = await command(spec, '00000131', '4000000b', `000400000000${sized(EK_P256)}000000000000`);
  await command(spec, '00000165', '', created.subarray(10, 14).toString('hex'), false);
  const at = 10 + 4 + 4 + 2 + 8 + 34 + 12; // header, handle, parameterSize, size of the public area, its fixed part, policy, parameters
  const x = created.subarray(at + 2, at + 34).toString('hex');
  const y = created.subarray(at + 36, at + 68).toString('hex');
  await run('swtpm_localca', ['--type', 'ek', '--ek', `x=${x},y=${y},id=secp256r1`, '--dir', dir, '--logfile', join(dir, 'setup.log'), ...TPM_SPEC,
    '--configfile', join(dir, 'localca.conf'), '--optsfile', join(dir, 'localca.options')]);
  const certificate = await readFile(join(dir, 'ek.cert'));
  await rm(join(dir, 'ek.cert'));
  const size = certificate.length.toString(16).padStart(4, '0');
  await command(spec, '0000012a', PLATFORM, `0000${sized(`${INDEX}000b420720010000${size}`)}`);
  for (let offset = 0; offset < certificate.length; offset += 512) {
    const part = certificate.subarray(offset, offset + 512).toString('hex');
    await command(spec, '00000137', PLATFORM + INDEX, sized(part) + offset.toString(16).padStart(4, '0'));
  }
  await command(spec, '00000138', PLATFORM + INDEX, '');
}
