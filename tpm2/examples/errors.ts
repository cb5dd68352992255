/** What may go wrong, by name. Run: node --import tsx errors.ts device:/dev/tpmrm0 */
import { ChannelError, connect, GetRandom, RC, TpmError } from '@ari-sidecar/tpm2';

try {
  const tpm = await connect(process.argv[2] ?? 'device:/dev/tpmrm0', { deadline: 5_000 });
  await tpm.run(GetRandom, {}, { bytesRequested: 16 }, { priority: 1, deadline: 500 });
  await tpm.close();
  console.log('fine');
} catch (error) {
  if (error instanceof ChannelError) console.log(error.code); // absent, permission, busy, hung, closed, garbage
  else if (error instanceof TpmError && error.base === RC.LOCKOUT) console.log('locked out: wait, or reset the lockout');
  else if (error instanceof TpmError) console.log(error.name, error.where, error.command);
  else throw error;
}
