/** Random numbers of a seed. The same seed and name give the same numbers. */
export interface Random {
  /** An integer from `min` to `max`, inclusive. */
  int(min: number, max: number): number;
  /** True with this probability. */
  chance(share: number): boolean;
  pick<T>(from: readonly T[]): T;
  /** One of the names, by weight. */
  weighted<T extends string>(weights: Readonly<Record<T, number>>): T;
  shuffled<T>(from: readonly T[]): T[];
  uuid(): string;
}

/**
 * Creates a stream of numbers for one purpose. Streams are independent: order 17 is the same whatever the faults are.
 */
export function createRandom(seed: number, purpose: string): Random {
  const next = mulberry32(hash(`${seed}/${purpose}`));
  const int = (min: number, max: number) => min + Math.floor(next() * (max - min + 1));
  const pick = <T>(from: readonly T[]): T => {
    const picked = from[int(0, from.length - 1)];
    if (picked === undefined) throw new Error("There is nothing to pick from");
    return picked;
  };
  return {
    int,
    chance: (share) => next() < share,
    pick,
    weighted<T extends string>(weights: Readonly<Record<T, number>>): T {
      // Object.entries loses the type of the keys.
      const entries = Object.entries(weights) as [T, number][];
      const total = entries.reduce((sum, [, weight]) => sum + weight, 0);
      let left = next() * total;
      for (const [name, weight] of entries) {
        left -= weight;
        if (left < 0) return name;
      }
      return pick(entries)[0];
    },
    shuffled(from) {
      const rest = [...from];
      return from.flatMap(() => rest.splice(int(0, rest.length - 1), 1));
    },
    uuid() {
      const hex = Array.from({ length: 32 }, () => int(0, 15).toString(16)).join("");
      const variant = ((Number.parseInt(hex.charAt(16), 16) & 0x3) | 0x8).toString(16);
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20)}`;
    },
  };
}

/** Tommy Ettinger's mulberry32: 32 bits of state, good enough for choices, the same on every machine. */
function mulberry32(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return value >>> 0;
}
