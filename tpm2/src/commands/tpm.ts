/** The TPM as a whole: Part 3 sections 9, 10, 15, 16, 24, 25, 29, 30. */
import { RH } from '../handles.js';
import { CAP, CapabilityData, CreationData, HashAlg, MAX_DIGEST, MAX_HA, PcrSelectionList, Public, SensitiveCreate, Ticket, TimeInfo } from '../structures/index.js';
import { buffer, named, sized, u16, u32, yesNo } from '../wire/fields.js';
import { command } from './row.js';

const startupType = named(u16, { clear: 0, state: 1 });

/** Part 3 section 9.3. 0x100 INITIALIZE: it was started already. */
export const Startup = command('TPM2_Startup', 0x144, { params: { startupType } });
/** Part 3 section 9.4. Never to a machine's TPM: the kernel does it. */
export const Shutdown = command('TPM2_Shutdown', 0x145, { params: { shutdownType: startupType } });
/** Part 3 section 10.2. */
export const SelfTest = command('TPM2_SelfTest', 0x143, { params: { fullTest: yesNo }, slow: true });

/** Part 3 section 15.4: at most 1024 bytes; the ticket says that the data did not begin with TPM_GENERATED_VALUE. */
export const Hash = command('TPM2_Hash', 0x17d, {
  params: { data: buffer(1024), hashAlg: HashAlg, hierarchy: u32 },
  returns: { outHash: buffer(MAX_DIGEST), validation: Ticket },
});
/** Part 3 section 16.1: may answer fewer bytes than were asked for. */
export const GetRandom = command('TPM2_GetRandom', 0x17b, { params: { bytesRequested: u16 }, returns: { randomBytes: buffer(MAX_DIGEST) } });

/** Part 3 section 24.1: the same seed and template give the same key, whatever the auth value. */
export const CreatePrimary = command('TPM2_CreatePrimary', 0x131, {
  handles: { primaryHandle: 'user' },
  params: { inSensitive: sized(SensitiveCreate), inPublic: sized(Public), outsideInfo: buffer(MAX_HA), creationPCR: PcrSelectionList },
  handle: 'objectHandle',
  returns: { outPublic: sized(Public), creationData: sized(CreationData), creationHash: buffer(MAX_DIGEST), creationTicket: Ticket, name: buffer(MAX_HA) },
  slow: true,
});
/** Part 3 section 24.6: ends the owner's keys and indices, and resets the clock. */
export const Clear = command('TPM2_Clear', 0x126, { handles: { authHandle: 'user' }, slow: true, authAfter: (_, [handle]) => (handle === RH.LOCKOUT ? Buffer.alloc(0) : undefined) });
/** Part 3 section 24.8. */
export const HierarchyChangeAuth = command('TPM2_HierarchyChangeAuth', 0x129, {
  handles: { authHandle: 'user' },
  params: { newAuth: buffer(MAX_DIGEST) },
  authAfter: ({ newAuth }: { newAuth: Uint8Array }) => newAuth,
});
/** Part 3 section 25.2. */
export const DictionaryAttackLockReset = command('TPM2_DictionaryAttackLockReset', 0x139, { handles: { lockHandle: 'user' } });
/** Part 3 section 25.3: times in seconds. */
export const DictionaryAttackParameters = command('TPM2_DictionaryAttackParameters', 0x13a, {
  handles: { lockHandle: 'user' },
  params: { newMaxTries: u32, newRecoveryTime: u32, lockoutRecovery: u32 },
});

/** Part 3 section 29.1. */
export const ReadClock = command('TPM2_ReadClock', 0x181, { returns: { currentTime: TimeInfo } });
/** Part 3 section 30.2. */
export const GetCapability = command('TPM2_GetCapability', 0x17a, {
  params: { capability: named(u32, CAP), property: u32, propertyCount: u32 },
  returns: { moreData: yesNo, capabilityData: CapabilityData },
});
