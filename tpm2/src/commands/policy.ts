/** Sessions and policies: Part 3 sections 11 and 23. */
import { DigestList, HashAlg, MAX_DIGEST, PcrSelectionList, SymDef, Ticket } from '../structures/index.js';
import type { Codec } from '../wire/codec.js';
import { buffer, named, u32, u8 } from '../wire/fields.js';
import { encryptedSecret } from './objects.js';
import { command } from './row.js';

const digest = buffer(MAX_DIGEST);
const nonce = buffer(MAX_DIGEST);
/** TPM_SE, Part 2 section 6.11. */
const SessionType = named(u8, { hmac: 0x00, policy: 0x01, trial: 0x03 });
/** INT32: seconds; negative: also bound to this start of the TPM. */
const int32: Codec<number> = {
  read: (r) => r.u32() | 0,
  write: (w, v) => ((v | 0) === v ? w.u32(v >>> 0) : w.fail(`${v} is no INT32`)),
};

/** Part 3 section 11.1. Use Tpm.startSession, which keeps the nonces. */
export const StartAuthSession = command('TPM2_StartAuthSession', 0x176, {
  handles: { tpmKey: 'none', bind: 'none' },
  params: { nonceCaller: nonce, encryptedSalt: encryptedSecret, sessionType: SessionType, symmetric: SymDef, authHash: HashAlg },
  handle: 'sessionHandle',
  returns: { nonceTPM: nonce },
});
/** Part 3 section 23.4. */
export const PolicySecret = command('TPM2_PolicySecret', 0x151, {
  handles: { authHandle: 'user', policySession: 'none' },
  params: { nonceTPM: nonce, cpHashA: digest, policyRef: nonce, expiration: int32 },
  returns: { timeout: buffer(8), policyTicket: Ticket },
});
/** Part 3 section 23.6. */
export const PolicyOR = command('TPM2_PolicyOR', 0x171, { handles: { policySession: 'none' }, params: { pHashList: DigestList } });
/** Part 3 section 23.7. An empty pcrDigest takes the present values. */
export const PolicyPCR = command('TPM2_PolicyPCR', 0x17f, { handles: { policySession: 'none' }, params: { pcrDigest: digest, pcrs: PcrSelectionList } });
/** Part 3 section 23.11. */
export const PolicyCommandCode = command('TPM2_PolicyCommandCode', 0x16c, { handles: { policySession: 'none' }, params: { code: u32 } });
/** Part 3 section 23.17: the final command also proves the object's auth value; authorise it with `hmac(value, session)`. */
export const PolicyAuthValue = command('TPM2_PolicyAuthValue', 0x16b, { handles: { policySession: 'none' } });
/** Part 3 section 23.19. */
export const PolicyGetDigest = command('TPM2_PolicyGetDigest', 0x189, { handles: { policySession: 'none' }, returns: { policyDigest: digest } });
