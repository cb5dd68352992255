/** Attestation and PCRs: Part 3 sections 18 and 22. What is signed stays raw: a signature is over bytes, so bytes are what you keep and send. */
import { DigestList, DigestValues, MAX_DIGEST, MAX_HA, PcrSelectionList, Signature, SigScheme, Ticket } from '../structures/index.js';
import { buffer, u32 } from '../wire/fields.js';
import { command } from './row.js';

const attest = buffer(4096);
/** TPM2B_DATA, Part 2 section 10.4.3: up to 66 bytes, answered as `extraData`. */
const qualifyingData = buffer(MAX_HA);

/** Part 3 section 18.2. */
export const Certify = command('TPM2_Certify', 0x148, {
  handles: { objectHandle: 'admin', signHandle: 'user' },
  params: { qualifyingData, inScheme: SigScheme },
  returns: { certifyInfo: attest, signature: Signature },
});
/** Part 3 section 18.3. */
export const CertifyCreation = command('TPM2_CertifyCreation', 0x14a, {
  handles: { signHandle: 'user', objectHandle: 'none' },
  params: { qualifyingData, creationHash: buffer(MAX_DIGEST), inScheme: SigScheme, creationTicket: Ticket },
  returns: { certifyInfo: attest, signature: Signature },
});
/** Part 3 section 18.4. Decode `quoted` with Attest. */
export const Quote = command('TPM2_Quote', 0x158, {
  handles: { signHandle: 'user' },
  params: { qualifyingData, inScheme: SigScheme, PCRselect: PcrSelectionList },
  returns: { quoted: attest, signature: Signature },
});
/** Part 3 section 18.7. */
export const GetTime = command('TPM2_GetTime', 0x14c, {
  handles: { privacyAdminHandle: 'user', signHandle: 'user' },
  params: { qualifyingData, inScheme: SigScheme },
  returns: { timeInfo: attest, signature: Signature },
});

/** Part 3 section 22.2: one digest per bank. */
export const PCR_Extend = command('TPM2_PCR_Extend', 0x182, { handles: { pcrHandle: 'user' }, params: { digests: DigestValues } });
/** Part 3 section 22.4: at most eight values; repeat for what pcrSelectionOut leaves out, and again from the start when the counter moved. */
export const PCR_Read = command('TPM2_PCR_Read', 0x17e, {
  params: { pcrSelectionIn: PcrSelectionList },
  returns: { pcrUpdateCounter: u32, pcrSelectionOut: PcrSelectionList, pcrValues: DigestList },
});
/** Part 3 section 22.8: PCR 16 and 23 at locality 0. */
export const PCR_Reset = command('TPM2_PCR_Reset', 0x13d, { handles: { pcrHandle: 'user' } });
