/**
 * What real certificates do against the letter of their standards, by name. A certificate is read with its oddities, never repaired: whoever judges it
 * sees each of them, and a path is refused for those in {@link BREACHES} that its profile does not tolerate.
 */
export const ODDITIES = [
  /** Around the certificate: how it lay in NV memory. */
  'nv-header', 'nv-padding',
  /** Its key is marked for one scheme. */
  'key-oid-oaep', 'key-oid-pss',
  /** What an endorsement certificate should say (TCG EK Credential Profile) and this one does not. */
  'eku-missing', 'san-missing', 'subject-empty', 'san-critical', 'basic-constraints-missing', 'key-usage-missing', 'validity-unbounded', 'signature-sha1', 'version-1',
  /** Encodings that are BER, not DER, or that RFC 5280 does not allow; the value is not in doubt. */
  'set-unsorted', 'boolean-not-ff', 'default-encoded', 'bits-not-minimal', 'integer-not-minimal', 'time-encoding', 'algorithm-parameters',
  /** Members that RFC 5280 demands or forbids. */
  'aki-missing', 'aki-critical', 'ski-missing', 'ski-critical', 'basic-constraints-not-critical', 'policy-constraints-not-critical', 'aia-critical', 'serial-zero', 'serial-negative', 'serial-long', 'name-constraints-not-critical', 'dns-name-malformed', 'san-not-critical',
] as const;
export type Oddity = (typeof ODDITIES)[number];

export class Oddities {
  readonly #seen = new Set<Oddity>();
  add(oddity: Oddity): void { this.#seen.add(oddity); }
  /** In the order of the table. */
  list(): Oddity[] { return ODDITIES.filter((name) => this.#seen.has(name)); }
}

/** Those that a conforming certificate cannot have (RFC 5280 sections 4.1 and 4.2). */
export const BREACHES: ReadonlySet<Oddity> = new Set([
  'set-unsorted', 'boolean-not-ff', 'default-encoded', 'bits-not-minimal', 'integer-not-minimal', 'time-encoding', 'algorithm-parameters', 'aki-missing', 'aki-critical', 'ski-missing', 'ski-critical', 'basic-constraints-not-critical', 'policy-constraints-not-critical', 'aia-critical',
  'serial-zero', 'serial-negative', 'serial-long', 'name-constraints-not-critical', 'dns-name-malformed', 'san-not-critical',
] as const);

/** What genuine makers of TPMs did. None of these makes a certificate say something else, or lets another key sign it. */
export const TPM_MAKERS: ReadonlySet<Oddity> = new Set([
  'set-unsorted', 'boolean-not-ff', 'default-encoded', 'bits-not-minimal', 'integer-not-minimal', 'time-encoding', 'algorithm-parameters', 'aki-missing', 'ski-missing', 'basic-constraints-not-critical', 'serial-zero', 'serial-negative', 'serial-long', 'san-not-critical',
] as const);
