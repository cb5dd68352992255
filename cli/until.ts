const SIGNALS = ['SIGTERM', 'SIGINT'] as const;

/** Resolves at the first SIGTERM or SIGINT. The next of either ends the process at once: nothing here waits for it any more. */
export const untilStopped = (): Promise<void> => new Promise((resolve) => {
  const stop = (): void => {
    for (const signal of SIGNALS) process.off(signal, stop);
    resolve();
  };
  for (const signal of SIGNALS) process.on(signal, stop);
});
