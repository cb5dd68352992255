/** The software TPM of the tests: the package's own, `@ari-sidecar/tpm2/swtpm`. */
export * from '../../src/swtpm/index.js';
