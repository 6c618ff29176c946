import type { IncomingMessage } from "node:http";
import type { HeldRequest } from "./request-memory.ts";

/** How fast a body has to arrive. */
export interface BodyPace {
  /** However small it is. */
  readonly ms: number;
  /** And as long as it takes at this pace, for what has arrived. */
  readonly bytesPerSecond: number;
  /** However large it is. */
  readonly msMax: number;
}

/**
 * How much longer a body may take, of which so much has arrived after so long; zero or less where it is too slow. It is a bound on the whole and not on
 * each pause, or one byte every few seconds would be enough to stay.
 */
export function bodyMsLeft(
  { elapsedMs, bytes }: { readonly elapsedMs: number; readonly bytes: number },
  { ms, bytesPerSecond, msMax }: BodyPace,
): number {
  return Math.min(ms + (bytes / bytesPerSecond) * 1_000, msMax) - elapsedMs;
}

/** What came of receiving a body. */
export type Received =
  | { readonly kind: "whole"; readonly bytes: Uint8Array }
  /** More bytes than one body may have. */
  | { readonly kind: "too-large" }
  | { readonly kind: "too-slow" }
  /** Its caller, or its address, holds too much, or it had to give way to others. */
  | { readonly kind: "no-room" }
  /** The client went away. */
  | { readonly kind: "gone" };

/** A body that is about to be received. */
export interface ReceiveOptions {
  readonly bytesMax: number;
  readonly pace: BodyPace;
  /** Where its bytes are counted. */
  readonly held: Pick<HeldRequest, "hold" | "finished">;
  /** Aborts when the client goes away. */
  readonly gone: AbortSignal;
  /** Aborts when the request loses its memory to others. */
  readonly givenUp: AbortSignal;
}

/** Receives a whole body within its bounds. What is refused is dropped at once; what still arrives of it is not kept. Never rejects. */
export function receiveBody(request: IncomingMessage, o: ReceiveOptions): Promise<Received> {
  const { bytesMax, pace, held, gone, givenUp } = o;
  if (Number(request.headers["content-length"] ?? 0) > bytesMax) return Promise.resolve({ kind: "too-large" });
  return new Promise((resolve) => {
    const startedAt = performance.now();
    let chunks: Uint8Array[] = [];
    let bytes = 0;
    const settle = (received: Received) => {
      clearTimeout(timer);
      request.off("data", onData);
      request.off("end", onEnd);
      gone.removeEventListener("abort", onGone);
      givenUp.removeEventListener("abort", onGivenUp);
      chunks = [];
      resolve(received);
    };
    const onData = (chunk: Uint8Array) => {
      bytes += chunk.byteLength;
      if (bytes > bytesMax) settle({ kind: "too-large" });
      else if (!held.hold(chunk.byteLength)) settle({ kind: "no-room" });
      else chunks.push(chunk);
    };
    const onEnd = () => {
      held.finished();
      const [only] = chunks;
      settle({ kind: "whole", bytes: chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks) });
    };
    const onGone = () => settle({ kind: "gone" });
    const onGivenUp = () => settle({ kind: "no-room" });
    const look = () => {
      const left = bodyMsLeft({ elapsedMs: performance.now() - startedAt, bytes }, pace);
      if (left > 0) timer = setTimeout(look, Math.ceil(left));
      else settle({ kind: "too-slow" });
    };
    let timer = setTimeout(look, Math.min(pace.ms, pace.msMax));
    // What breaks off is told by `gone`.
    request.on("error", () => undefined);
    request.on("data", onData);
    request.once("end", onEnd);
    gone.addEventListener("abort", onGone, { once: true });
    givenUp.addEventListener("abort", onGivenUp, { once: true });
    if (gone.aborted) onGone();
    else if (givenUp.aborted) onGivenUp();
    else if (request.readableEnded) onEnd();
  });
}
