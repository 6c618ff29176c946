import type { ServerResponse } from "node:http";

/** How long a client may take to take an answer. */
export interface TakingTime {
  /** However small it is. */
  readonly ms: number;
  /** And as long as it takes at this pace, for what is large. */
  readonly bytesPerSecond: number;
}

/**
 * Bounds how long a client may take to take what is written of an answer and not sent yet, and breaks the answer off where it takes longer: a client that
 * does not read would hold what its answer holds for as long as it likes. It is a bound on the whole and not on each pause, or one byte every few seconds
 * would be enough to stay. An answer that waits behind another of its connection has its time when its turn comes. Gives back how to lift the bound.
 */
export function limitTaking(res: ServerResponse, { ms, bytesPerSecond }: TakingTime): () => void {
  let late: NodeJS.Timeout | undefined;
  const begin = () => {
    late = setTimeout(() => res.destroy(), ms + (res.writableLength / bytesPerSecond) * 1_000);
  };
  if (res.socket === null) res.once("socket", begin);
  else begin();
  return () => {
    res.off("socket", begin);
    clearTimeout(late);
  };
}

/** Breaks an answer off that its client does not take in time. To be called when all of it is written. */
export function requireTaken(res: ServerResponse, time: TakingTime): void {
  if (!res.destroyed) res.once("close", limitTaking(res, time));
}
