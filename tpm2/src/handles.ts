/** Handles: Part 2 section 7. */

/** TPM_RH, Part 2 section 7.4: permanent handles. */
export const RH = {
  OWNER: 0x40000001, NULL: 0x40000007, PW: 0x40000009, LOCKOUT: 0x4000000a, ENDORSEMENT: 0x4000000b, PLATFORM: 0x4000000c,
} as const;

/** TPM_HT, Part 2 section 7.2: the most significant byte says what a handle is. */
export const HT = { PCR: 0x00, NV_INDEX: 0x01, HMAC_SESSION: 0x02, POLICY_SESSION: 0x03, PERMANENT: 0x40, TRANSIENT: 0x80, PERSISTENT: 0x81 } as const;

export function handleType(handle: number): number {
  return handle >>> 24;
}

export function isSession(handle: number): boolean {
  const type = handleType(handle);
  return type === HT.HMAC_SESSION || type === HT.POLICY_SESSION;
}

/** Objects and NV indices have a Name of their own; the Name of all else is the handle itself (Part 1 section 16). */
export function hasName(handle: number): boolean {
  const type = handleType(handle);
  return type === HT.NV_INDEX || type === HT.TRANSIENT || type === HT.PERSISTENT;
}

export function handleBytes(handle: number): Buffer {
  const out = Buffer.allocUnsafe(4);
  out.writeUInt32BE(handle);
  return out;
}
