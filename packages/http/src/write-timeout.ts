import type { ServerResponse } from "node:http";
import { asEndingInTurn, type EndsInTurn } from "./ends-in-turn.ts";

/** How long a client may take to receive a response. */
export interface WriteTimeout {
  /** However small the response is. */
  readonly ms: number;
  /** The minimum drain rate: a large response may take as long as it needs at this rate. */
  readonly bytesPerSecond: number;
}

/**
 * Closes a response whose client takes too long to receive what is written and not sent yet: a client that does not
 * read would hold the memory of its response for as long as it likes. The timeout is for all of it and not for each
 * pause, or one byte every few seconds would keep the response open. It starts when earlier responses of the connection
 * are sent. Call it when the whole response is written, or whenever a write has to wait. Returns a function that lifts
 * the timeout.
 */
export function limitWriteTime(res: ServerResponse, { ms, bytesPerSecond }: WriteTimeout): () => void {
  const inTurn = asEndingInTurn(res);
  if (inTurn?.isEnding === true) return limitOnceEnded(res, inTurn, { ms, bytesPerSecond });
  if (res.destroyed || isSent(res)) return () => undefined;
  let timer: NodeJS.Timeout | undefined;
  const start = () => {
    timer = setTimeout(() => res.destroy(), ms + (res.writableLength / bytesPerSecond) * 1_000);
  };
  const lift = () => {
    res.off("socket", start);
    res.off("close", lift);
    clearTimeout(timer);
  };
  if (res.socket === null) res.once("socket", start);
  else start();
  res.once("close", lift);
  return lift;
}

/** The same for a response that is written at the end of the turn. */
function limitOnceEnded(res: ServerResponse, inTurn: EndsInTurn, timeout: WriteTimeout): () => void {
  let lift: (() => void) | undefined;
  let isLifted = false;
  inTurn.onceEnded(() => {
    if (!isLifted) lift = limitWriteTime(res, timeout);
  });
  return () => {
    isLifted = true;
    lift?.();
  };
}

/**
 * Whether the kernel has all bytes of a response already, as it has of most. HTTP/2 may still hold frames back for its
 * client's windows.
 */
function isSent(res: ServerResponse): boolean {
  return res.req?.httpVersionMajor === 1 && res.socket !== null && res.writableEnded && res.writableLength === 0;
}
