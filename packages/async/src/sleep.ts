import { setTimeout as wait } from "node:timers/promises";

/**
 * Resolves after `ms`, or as soon as `signal` aborts. It never rejects: a caller that must know why the wait ended
 * looks at its signal. With `ref: false` the wait alone does not keep the process alive.
 */
export async function sleep(
  ms: number,
  { signal, ref = true }: { readonly signal?: AbortSignal | undefined; readonly ref?: boolean } = {},
): Promise<void> {
  // It rejects for an aborted signal only.
  await wait(ms, undefined, { ref, ...(signal && { signal }) }).catch(() => undefined);
}
