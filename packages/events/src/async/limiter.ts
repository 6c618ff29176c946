/** Runs at most so many at a time; the rest wait in the order in which they came. The callers bound how many wait. */
export function createLimiter(concurrencyMax: number): <T>(work: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (work) => {
    if (running >= concurrencyMax) await new Promise<void>((resolve) => waiting.push(resolve));
    else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      // Who is next takes over the place: `running` stays as it is.
      if (next !== undefined) next();
      else running -= 1;
    }
  };
}
