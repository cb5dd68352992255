/** Resolves at the first SIGTERM or SIGINT. */
export const untilStopped = (): Promise<void> => new Promise((resolve) => {
  const stop = (): void => resolve();
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
});
