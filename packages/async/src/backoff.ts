import { fullJitterGenerator, halfJitterGenerator, noJitterGenerator } from "cockatiel";

/** Delays that double with each failure in a row, from `delayMsMin` to `delayMsMax`. */
export interface BackoffOptions {
  readonly delayMsMin: number;
  readonly delayMsMax: number;
  /**
   * How much of the delay is random, so that clients that failed together do not return together: all of it ("full",
   * the default), or its second half ("half"). "none" gives the bound itself.
   */
  readonly jitter?: keyof typeof generators;
}

const generators = {
  full: fullJitterGenerator,
  half: halfJitterGenerator,
  none: noJitterGenerator,
} as const;

/**
 * Returns the milliseconds to wait after so many failures in a row, 1 or more. The number often comes from a row of a
 * database, so the delay is computed from it alone, by the generator that cockatiel's `ExponentialBackoff` steps
 * through.
 */
export function backoffMs(failures: number, { delayMsMin, delayMsMax, jitter = "full" }: BackoffOptions): number {
  const generator = generators[jitter];
  const [delayMs] = generator(failures - 1, { generator, exponent: 2, initialDelay: delayMsMin, maxDelay: delayMsMax });
  return delayMs;
}
