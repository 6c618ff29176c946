/** A map that keeps what was used of late. */
export interface RecentMap<Value> {
  get(key: string): Value | undefined;
  set(key: string, value: Value): void;
}

/**
 * Creates a map of at most `max` entries. It has two halves: where the newer one is full, it becomes the older one, and
 * the entries that were not used since are dropped. So a look-up moves nothing, but for an entry of the older half.
 */
export function createRecentMap<Value>(max: number): RecentMap<Value> {
  const halfMax = Math.max(1, Math.floor(max / 2));
  let newer = new Map<string, Value>();
  let older = new Map<string, Value>();

  function set(key: string, value: Value): void {
    if (newer.size >= halfMax) {
      older = newer;
      newer = new Map();
    }
    newer.set(key, value);
  }

  return {
    set,
    get(key) {
      const found = newer.get(key);
      if (found !== undefined) return found;
      const old = older.get(key);
      if (old !== undefined) set(key, old);
      return old;
    },
  };
}
