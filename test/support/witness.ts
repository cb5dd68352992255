/** A witness of checkpoints, made after the words of c2sp.org/tlog-cosignature and not with the code under test. */
import { createHash, createPrivateKey, createPublicKey, sign } from 'node:crypto';

export interface Witness { readonly name: string; readonly vkey: string; line(noteText: string, timeS?: number): string }

export function testWitness(name: string, seed = 9): Witness {
  const key = createPrivateKey({ key: Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), Buffer.alloc(32, seed)]), format: 'der', type: 'pkcs8' });
  const typed = Buffer.concat([Uint8Array.of(4), createPublicKey(key).export({ format: 'der', type: 'spki' }).subarray(-32)]);
  const keyId = createHash('sha256').update(`${name}\n`).update(typed).digest().subarray(0, 4);
  return {
    name, vkey: `${name}+${keyId.toString('hex')}+${typed.toString('base64')}`,
    line(noteText, timeS = 1_800_000_000) {
      const time = Buffer.alloc(8);
      time.writeBigUInt64BE(BigInt(timeS));
      return `— ${name} ${Buffer.concat([keyId, time, sign(null, Buffer.from(`cosignature/v1\ntime ${timeS}\n${noteText}`), key)]).toString('base64')}`;
    },
  };
}

/** The text of a note, which is what is signed. */
export const noteText = (note: string): string => note.slice(0, note.indexOf('\n\n') + 1);
