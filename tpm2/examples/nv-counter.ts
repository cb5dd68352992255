/** A counter that never goes back, not even by removing it. Run: node --import tsx nv-counter.ts device:/dev/tpmrm0 */
import {
  connect, counterPublic, NV_DefineSpace, NV_Increment, NV_UndefineSpace, nvNameOf, PolicySecret, policySecretDigest, readNv, RH, written,
} from '@ari-sidecar/tpm2';

const tpm = await connect(process.argv[2] ?? 'device:/dev/tpmrm0');
const none = Buffer.alloc(0);
const nvIndex = 0x01800100;

// Whoever proves the owner's auth value may increment. Better: PolicySecret of a key of yours.
const owner = Buffer.from('40000001', 'hex');
const counter = counterPublic(nvIndex, policySecretDigest(owner));
await tpm.run(NV_DefineSpace, { authHandle: RH.OWNER }, { auth: none, publicInfo: counter });

const increment = () => tpm.withSession({ type: 'policy' }, async (session) => {
  await tpm.run(PolicySecret, { authHandle: RH.OWNER, policySession: session.handle }, { nonceTPM: none, cpHashA: none, policyRef: none, expiration: 0 });
  await tpm.run(NV_Increment, { authHandle: { handle: nvIndex, auth: session }, nvIndex }, {});
});

await increment();
const first = (await readNv(tpm, nvIndex)).readBigUInt64BE();
await increment();
const second = (await readNv(tpm, nvIndex)).readBigUInt64BE();
console.log({ first, second, name: nvNameOf(written(counter)).toString('hex') });

await tpm.run(NV_UndefineSpace, { authHandle: RH.OWNER, nvIndex }, {});
await tpm.close();
