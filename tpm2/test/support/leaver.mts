/** A client that fills every slot of the TPM and waits to be killed. */
import { connect, CreatePrimary, RH, templates } from '../../src/index.js';

const tpm = await connect(process.argv[2] ?? '');
const none = Buffer.alloc(0);
for (let i = 0; i < 3; i++) {
  await tpm.run(CreatePrimary, { primaryHandle: RH.OWNER }, { inSensitive: { userAuth: none, data: none }, inPublic: templates.akP256, outsideInfo: none, creationPCR: [] });
  await tpm.startSession();
}
process.send?.('full');
setInterval(() => undefined, 1000);
