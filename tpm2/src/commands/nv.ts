/** Non-volatile indices: Part 3 section 31. */
import { MAX_DIGEST, MAX_HA, NvPublic, Signature, SigScheme } from '../structures/index.js';
import { buffer, sized, u16 } from '../wire/fields.js';
import { command } from './row.js';

/** TPM2B_MAX_NV_BUFFER: a TPM takes at most TPM_PT_NV_BUFFER_MAX at once, often 512 to 2048. */
const nvBuffer = buffer(4096);
const access = { authHandle: 'user', nvIndex: 'none' } as const;

/** Part 3 section 31.3. `auth` is the index's own auth value. */
export const NV_DefineSpace = command('TPM2_NV_DefineSpace', 0x12a, { handles: { authHandle: 'user' }, params: { auth: buffer(MAX_DIGEST), publicInfo: sized(NvPublic) } });
/** Part 3 section 31.4. */
export const NV_UndefineSpace = command('TPM2_NV_UndefineSpace', 0x122, { handles: access });
/** Part 3 section 31.6. */
export const NV_ReadPublic = command('TPM2_NV_ReadPublic', 0x169, { handles: { nvIndex: 'none' }, returns: { nvPublic: sized(NvPublic), nvName: buffer(MAX_HA) } });
/** Part 3 section 31.7. */
export const NV_Write = command('TPM2_NV_Write', 0x137, { handles: access, params: { data: nvBuffer, offset: u16 } });
/** Part 3 section 31.8. */
export const NV_Increment = command('TPM2_NV_Increment', 0x134, { handles: access });
/** Part 3 section 31.9: new = H(old || data). */
export const NV_Extend = command('TPM2_NV_Extend', 0x136, { handles: access, params: { data: nvBuffer } });
/** Part 3 section 31.11. */
export const NV_WriteLock = command('TPM2_NV_WriteLock', 0x138, { handles: access });
/** Part 3 section 31.13. 0x14A NV_UNINITIALIZED: not written yet. */
export const NV_Read = command('TPM2_NV_Read', 0x14e, { handles: access, params: { size: u16, offset: u16 }, returns: { data: nvBuffer } });
/** Part 3 section 31.16. size = offset = 0 answers type 801C, a digest, in place of the contents (8014). */
export const NV_Certify = command('TPM2_NV_Certify', 0x184, {
  handles: { signHandle: 'user', authHandle: 'user', nvIndex: 'none' },
  params: { qualifyingData: buffer(MAX_HA), inScheme: SigScheme, size: u16, offset: u16 },
  returns: { certifyInfo: buffer(4096), signature: Signature },
});
