/** A TPM that was missing, busy or hung may come back: it is asked again with growing pauses, until that is stopped. */
import { asFault } from '../src/base/fault.js';
import type { Log, Prover } from './tpm/types.js';

const PAUSE_MS = { first: 1_000, most: 60_000 };

/** @param back what is done when the TPM is there again. @param pauses between two questions, ms */
export function keepRecovering(prover: Pick<Prover, 'tier' | 'recover'>, back: () => void, log: Log, pauses = PAUSE_MS): { stop(): void } {
  let pause = pauses.first;
  let timer: NodeJS.Timeout;
  let stopped = false;
  const look = async (): Promise<void> => {
    const changed = prover.tier !== 'T2' && await prover.recover().catch((error: unknown) => { log.warn({ code: asFault(error).code }, asFault(error).message); return false; });
    if (stopped) return;
    if (changed) back();
    pause = prover.tier === 'T2' ? pauses.first : Math.min(pause * 2, pauses.most);
    wait();
  };
  const wait = (): void => { timer = setTimeout(() => void look(), pause); };
  wait();
  return { stop: () => { stopped = true; clearTimeout(timer); } };
}
