/** The version of this build; package.json says the same, a house test compares them. */
export const VERSION = '0.1.0';
/** `build` of EAR and hello. */
export const BUILD = `ari-sidecar ${VERSION}`;
