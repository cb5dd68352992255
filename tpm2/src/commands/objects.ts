/** Keys, sealed data and their contexts: Part 3 sections 12, 20 and 28. */
import { Context, CreationData, MAX_DIGEST, MAX_HA, PcrSelectionList, Public, Sensitive, SensitiveCreate, Signature, SigScheme, Ticket } from '../structures/index.js';
import { buffer, optional, sized, u32 } from '../wire/fields.js';
import { command } from './row.js';

const digest = buffer(MAX_DIGEST);
const name = buffer(MAX_HA);
const privateArea = buffer(4096);
/** TPM2B_ENCRYPTED_SECRET, Part 2 section 11.4.3: an RSA-4096 block or a point. */
export const encryptedSecret = buffer(512);
/** TPM2B_ID_OBJECT, Part 2 section 12.4.3: 2B(HMAC) and the encrypted credential; left opaque. */
export const idObject = buffer(2 + MAX_DIGEST + 2 + MAX_DIGEST);

/** Part 3 section 12.1. `outPrivate` is encrypted by the parent: keep it, and Load it again. */
export const Create = command('TPM2_Create', 0x153, {
  handles: { parentHandle: 'user' },
  params: { inSensitive: sized(SensitiveCreate), inPublic: sized(Public), outsideInfo: buffer(MAX_HA), creationPCR: PcrSelectionList },
  returns: { outPrivate: privateArea, outPublic: sized(Public), creationData: sized(CreationData), creationHash: digest, creationTicket: Ticket },
  slow: true,
});
/** Part 3 section 12.2. 0x1DF INTEGRITY: the blob is not of this TPM, or the TPM was cleared. */
export const Load = command('TPM2_Load', 0x157, {
  handles: { parentHandle: 'user' },
  params: { inPrivate: privateArea, inPublic: sized(Public) },
  handle: 'objectHandle',
  returns: { name },
});
/** Part 3 section 12.3. `inPrivate: null` for a public key. */
export const LoadExternal = command('TPM2_LoadExternal', 0x167, {
  params: { inPrivate: optional(Sensitive), inPublic: sized(Public), hierarchy: u32 },
  handle: 'objectHandle',
  returns: { name },
});
/** Part 3 section 12.4. */
export const ReadPublic = command('TPM2_ReadPublic', 0x173, {
  handles: { objectHandle: 'none' },
  returns: { outPublic: sized(Public), name, qualifiedName: name },
});
/** Part 3 section 12.5. 0x1DF: the credential was made for another Name, or was altered. */
export const ActivateCredential = command('TPM2_ActivateCredential', 0x147, {
  handles: { activateHandle: 'admin', keyHandle: 'user' },
  params: { credentialBlob: idObject, secret: encryptedSecret },
  returns: { certInfo: digest },
});
/** Part 3 section 12.6. A verifier has no TPM: see makeCredential(). */
export const MakeCredential = command('TPM2_MakeCredential', 0x168, {
  handles: { handle: 'none' },
  params: { credential: digest, objectName: name },
  returns: { credentialBlob: idObject, secret: encryptedSecret },
});
/** Part 3 section 12.7. */
export const Unseal = command('TPM2_Unseal', 0x15e, { handles: { itemHandle: 'user' }, returns: { outData: buffer(256) } });

/** Part 3 section 20.1. */
export const VerifySignature = command('TPM2_VerifySignature', 0x177, {
  handles: { keyHandle: 'none' },
  params: { digest, signature: Signature },
  returns: { validation: Ticket },
});
/** Part 3 section 20.2. A restricted key signs only what TPM2_Hash gave a ticket for. */
export const Sign = command('TPM2_Sign', 0x15d, {
  handles: { keyHandle: 'user' },
  params: { digest, inScheme: SigScheme, validation: Ticket },
  returns: { signature: Signature },
});

/** Part 3 section 28.2. */
export const ContextSave = command('TPM2_ContextSave', 0x162, { handles: { saveHandle: 'none' }, returns: { context: Context } });
/** Part 3 section 28.3. */
export const ContextLoad = command('TPM2_ContextLoad', 0x161, { params: { context: Context }, handle: 'loadedHandle' });
/** Part 3 section 28.4: the handle is a parameter, so no session is asked for. */
export const FlushContext = command('TPM2_FlushContext', 0x165, { params: { flushHandle: u32 } });
/** Part 3 section 28.5: makes a transient object persistent, or, given a persistent one, removes it. */
export const EvictControl = command('TPM2_EvictControl', 0x120, {
  handles: { auth: 'user', objectHandle: 'none' },
  params: { persistentHandle: u32 },
});
