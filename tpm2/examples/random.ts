/** 32 random bytes from the TPM. Run: node --import tsx random.ts device:/dev/tpmrm0 */
import { connect, GetRandom } from '@ari-sidecar/tpm2';

const tpm = await connect(process.argv[2] ?? 'device:/dev/tpmrm0');
const { randomBytes } = await tpm.run(GetRandom, {}, { bytesRequested: 32 });
console.log(randomBytes.toString('hex'));
await tpm.close();
