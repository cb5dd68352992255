/** A character device with a real TPM behind it: a pseudo-terminal in raw mode, bridged to swtpm's socket. Reads block in the kernel as /dev/tpmrm0's do. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const BRIDGE = `
import os, pty, tty, socket, select, sys
m, s = pty.openpty(); tty.setraw(s); print(os.ttyname(s), flush=True)
c = socket.socket(socket.AF_UNIX); c.connect(sys.argv[1])
while True:
    for f in select.select([m, c], [], [])[0]:
        if f == m: c.sendall(os.read(m, 8192))
        else:
            d = c.recv(8192)
            if not d: sys.exit()
            os.write(m, d)
`;

/** Null where there is no python3. */
export async function openPty(spec: string): Promise<{ device: string; close(): void } | null> {
  const child = spawn('python3', ['-c', BRIDGE, spec.replace('swtpm:unix:', '')], { stdio: ['ignore', 'pipe', 'inherit'] });
  const first = await Promise.race([once(child.stdout, 'data'), once(child, 'error').then(() => null), once(child, 'exit').then(() => null)]);
  return first === null ? null : { device: `device:${String(first[0]).trim()}`, close: () => { child.kill(); } };
}
