import { CreatePrimary, NV_Certify, NV_DefineSpace, NV_Extend, PCR_Extend, PCR_Read, PolicySecret, Public, Quote, RH, ReadPublic, Signature, type Tpm, connect, encode, nvNameOf, policySecretDigest, registerPublic, selectPcrs, templates, written } from '@ari-sidecar/tpm2';
import { startSwtpm } from '../../tpm2/test/support/swtpm.js';
import { toB64u } from '../../src/base/bytes.js';
import type { Attestation, LogEntry, PlatformBinding, PlatformEvidence } from '../../src/objects/evidence.js';
import { platformQualifyingData } from '../../src/objects/evidence.js';
import { bootAnchorContent, entryDigest, epochOf, logEntry } from '../../attest/log.js';

const NONE = Buffer.alloc(0);
const REGISTER = 0x01d10300;
export const PCRS = [0, 2, 7] as const;

/** A device whose evidence is real: an attestation key, a register with its log, and quotes, all in a software TPM. How the key is enrolled is tested elsewhere. */
export interface TpmDevice {
  readonly akName: string;
  readonly akPublic: string;
  readonly qualifiedSigner: string;
  readonly registerName: string;
  readonly firmware: bigint;
  readonly epoch: string;
  readonly log: readonly LogEntry[];
  /** TPM2_NV_Certify of the register. */
  certify(qualifyingData: Uint8Array): Promise<Attestation>;
  platform(binding: PlatformBinding): Promise<PlatformEvidence>;
  stop(): Promise<void>;
}

async function makeKey(tpm: Tpm) {
  const made = await tpm.run(CreatePrimary, { primaryHandle: RH.ENDORSEMENT }, { inSensitive: { userAuth: NONE, data: NONE }, inPublic: templates.akP256, outsideInfo: NONE, creationPCR: [] });
  const { qualifiedName } = await tpm.run(ReadPublic, { objectHandle: made.objectHandle }, {});
  return { handle: made.objectHandle, name: made.name, publicArea: made.outPublic, qualifiedName };
}

export async function startDevice(): Promise<TpmDevice> {
  const swtpm = await startSwtpm();
  const tpm = await connect(swtpm.spec);
  const ak = await makeKey(tpm);
  const area = registerPublic(REGISTER, policySecretDigest(ak.name));
  await tpm.run(NV_DefineSpace, { authHandle: RH.OWNER }, { auth: NONE, publicInfo: area });
  for (const pcr of PCRS) await tpm.run(PCR_Extend, { pcrHandle: pcr }, { digests: [{ hashAlg: 'sha256', digest: Buffer.alloc(32, pcr + 1) }] });

  const extend = (data: Uint8Array): Promise<unknown> => tpm.withSession({ type: 'policy' }, async (session) => {
    await tpm.run(PolicySecret, { authHandle: ak, policySession: session.handle }, { nonceTPM: NONE, cpHashA: NONE, policyRef: NONE, expiration: 0 });
    return tpm.run(NV_Extend, { authHandle: { handle: REGISTER, auth: session }, nvIndex: REGISTER }, { data });
  });
  const nvIndex = { handle: REGISTER, name: nvNameOf(written(area)) };
  const attestation = (attest: Uint8Array, signature: Signature): Attestation => ({ attest: toB64u(attest), signature: toB64u(encode(Signature, signature)) });
  const certify = async (qualifyingData: Uint8Array): Promise<Attestation> => {
    const { certifyInfo, signature } = await tpm.run(NV_Certify, { signHandle: ak, authHandle: nvIndex, nvIndex }, { qualifyingData, inScheme: { scheme: 'null' }, size: 32, offset: 0 });
    return attestation(certifyInfo, signature);
  };
  const quote = (qualifyingData: Uint8Array) => tpm.run(Quote, { signHandle: ak }, { qualifyingData, inScheme: { scheme: 'null' }, PCRselect: selectPcrs('sha256', [...PCRS]) });

  const { quoted } = await quote(Buffer.alloc(32));
  const { resetCount, restartCount, firmware } = countersOf(quoted);
  const random = toB64u(Buffer.alloc(16, 5));
  const nonce = toB64u(Buffer.alloc(32, 6));
  const log = [
    logEntry(0, REGISTER.toString(16).padStart(8, '0'), bootAnchorContent({ random, resetCount, restartCount, nonce })),
    logEntry(1, REGISTER.toString(16).padStart(8, '0'), { kind: 'sidecar', data: { version: '1' } }),
    logEntry(2, REGISTER.toString(16).padStart(8, '0'), { kind: 'agent_start', data: { agent_id: 'com.example.shopper' } }),
  ];
  for (const entry of log) await extend(entryDigest(entry));

  return {
    akName: ak.name.toString('hex'), akPublic: toB64u(encode(Public, ak.publicArea)), qualifiedSigner: ak.qualifiedName.toString('hex'),
    registerName: nvIndex.name.toString('hex'), firmware, epoch: epochOf(log[0]!), log, certify,
    async platform(binding) {
      const { pcrValues } = await tpm.run(PCR_Read, {}, { pcrSelectionIn: selectPcrs('sha256', [...PCRS]) });
      const answer = await quote(platformQualifyingData('quote', binding));
      const pcrs = Object.fromEntries(PCRS.map((pcr, i) => [String(pcr), pcrValues[i]!.toString('hex')]));
      return { binding, quote: { ...attestation(answer.quoted, answer.signature), bank: 'sha256', pcrs }, register: await certify(platformQualifyingData('register', binding)), counter: null, boot: null, ima: null };
    },
    async stop() {
      await tpm.close();
      await swtpm.stop();
    },
  };
}

/** TPMS_ATTEST (Part 2 section 10.12.12): after magic, type, qualifiedSigner and extraData come clock, the two counts, safe, firmwareVersion. */
function countersOf(attest: Buffer): { resetCount: number; restartCount: number; firmware: bigint } {
  const extra = 8 + attest.readUInt16BE(6);
  const clock = extra + 2 + attest.readUInt16BE(extra);
  return { resetCount: attest.readUInt32BE(clock + 8), restartCount: attest.readUInt32BE(clock + 12), firmware: attest.readBigUInt64BE(clock + 17) };
}
