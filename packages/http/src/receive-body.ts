import type { IncomingMessage } from "node:http";
import type { HeldRequest } from "./request-memory.ts";

/** How fast a body must arrive. */
export interface BodyPace {
  /** The time that every body has. */
  readonly ms: number;
  /** The minimum rate: the bytes that have arrived add the time that they need at this rate. */
  readonly bytesPerSecond: number;
  /** The time that no body may exceed. */
  readonly msMax: number;
}

/**
 * Returns how much longer a body may take, of which `bytes` have arrived after `elapsedMs`; zero or less where it is
 * too slow. The bound is for the whole body and not for each pause, or one byte every few seconds would keep the
 * request open.
 */
export function bodyMsLeft(
  { elapsedMs, bytes }: { readonly elapsedMs: number; readonly bytes: number },
  { ms, bytesPerSecond, msMax }: BodyPace,
): number {
  return Math.min(ms + (bytes / bytesPerSecond) * 1_000, msMax) - elapsedMs;
}

/** The result of receiving a body. */
export type Received =
  | { readonly kind: "whole"; readonly bytes: Uint8Array }
  /** More bytes than one body may have. */
  | { readonly kind: "too-large" }
  | { readonly kind: "too-slow" }
  /** Its account or its address holds too much memory, or the request was evicted for others. */
  | { readonly kind: "no-memory" }
  /** The client went away. */
  | { readonly kind: "gone" };

export interface ReceiveOptions {
  readonly bytesMax: number;
  readonly pace: BodyPace;
  /** Counts its bytes. */
  readonly held: Pick<HeldRequest, "grow" | "complete">;
  /** Aborts when the client goes away. */
  readonly gone: AbortSignal;
  /** Aborts when the request is evicted from memory. */
  readonly evicted: AbortSignal;
}

/**
 * Receives a whole body within its bounds. The bytes of a refused body are dropped at once, and those that still arrive
 * are not kept. Never rejects.
 */
export function receiveBody(request: IncomingMessage, o: ReceiveOptions): Promise<Received> {
  const { bytesMax, pace, held, gone, evicted } = o;
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
      evicted.removeEventListener("abort", onEvicted);
      chunks = [];
      resolve(received);
    };
    const onData = (chunk: Uint8Array) => {
      bytes += chunk.byteLength;
      if (bytes > bytesMax) settle({ kind: "too-large" });
      else if (!held.grow(chunk.byteLength)) settle({ kind: "no-memory" });
      else chunks.push(chunk);
    };
    const onEnd = () => {
      held.complete();
      const [only] = chunks;
      settle({ kind: "whole", bytes: chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks) });
    };
    const onGone = () => settle({ kind: "gone" });
    const onEvicted = () => settle({ kind: "no-memory" });
    const check = () => {
      const left = bodyMsLeft({ elapsedMs: performance.now() - startedAt, bytes }, pace);
      if (left > 0) timer = setTimeout(check, Math.ceil(left));
      else settle({ kind: "too-slow" });
    };
    let timer = setTimeout(check, Math.min(pace.ms, pace.msMax));
    // An aborted request is reported by `gone`.
    request.on("error", () => undefined);
    request.on("data", onData);
    request.once("end", onEnd);
    gone.addEventListener("abort", onGone, { once: true });
    evicted.addEventListener("abort", onEvicted, { once: true });
    if (gone.aborted) onGone();
    else if (evicted.aborted) onEvicted();
    else if (request.readableEnded) onEnd();
  });
}
