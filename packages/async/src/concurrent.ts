/**
 * Calls `work` for each item, for at most `max` at a time, in the order of the items. No further item is started once
 * `signal` aborts. Rejects where `work` does, so that work whose failure must not stop the others catches it itself.
 */
export async function forEachConcurrently<T>(
  items: Iterable<T>,
  o: { readonly max: number; readonly signal: AbortSignal },
  work: (item: T) => Promise<void>,
): Promise<void> {
  const waiting = items[Symbol.iterator]();
  const worker = async () => {
    while (!o.signal.aborted) {
      const next = waiting.next();
      if (next.done === true) return;
      await work(next.value);
    }
  };
  await Promise.all(Array.from({ length: o.max }, worker));
}
