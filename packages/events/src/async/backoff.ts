/**
 * How long to wait after so many failures in a row: full jitter, so that those who failed together do not come back
 * together.
 */
export function fullJitterMs(failures: number, delayMsMin: number, delayMsMax: number): number {
  return Math.random() * Math.min(delayMsMax, delayMsMin * 2 ** Math.min(failures - 1, 30));
}
