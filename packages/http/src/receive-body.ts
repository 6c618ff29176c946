import type { IncomingMessage } from "node:http";
import type { Readable } from "node:stream";
import { isCutOff } from "./cut-off.ts";
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

/** Ends the receipt of a body early. */
export type GiveUp = (kind: "gone" | "no-memory") => void;

/**
 * Receives a whole body within its bounds, of a request of HTTP/1.1 or a stream of HTTP/2 with this `content-length`.
 * The bytes of a refused body are dropped at once, and those that still arrive are not kept. `watch` is called with a
 * function that gives the body up, and returns one that ends the watch. Never rejects.
 */
export function receiveBytes(
  body: Readable,
  length: string | undefined,
  {
    bytesMax,
    pace,
    held,
    watch,
    after = startTimer,
  }: Omit<ReceiveOptions, "gone" | "evicted"> & {
    readonly watch: (giveUp: GiveUp) => () => void;
    /** Waits, and returns what ends the wait: a timer of its own where it is not given. */
    readonly after?: (ms: number, onPassed: () => void) => () => void;
  },
): Promise<Received> {
  if (Number(length ?? 0) > bytesMax) return Promise.resolve({ kind: "too-large" });
  return new Promise((resolve) => {
    const startedAt = performance.now();
    let chunks: Uint8Array[] = [];
    let bytes = 0;
    let isSettled = false;
    const settle = (received: Received) => {
      isSettled = true;
      stopWaiting();
      body.off("data", onData);
      body.off("end", onEnd);
      unwatch?.();
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
      if (isCutOff(body, length, bytes)) return settle({ kind: "gone" });
      held.complete();
      const [only] = chunks;
      settle({ kind: "whole", bytes: chunks.length === 1 && only !== undefined ? only : Buffer.concat(chunks) });
    };
    const check = () => {
      const left = bodyMsLeft({ elapsedMs: performance.now() - startedAt, bytes }, pace);
      if (left > 0) stopWaiting = after(Math.ceil(left), check);
      else settle({ kind: "too-slow" });
    };
    let stopWaiting = after(Math.min(pace.ms, pace.msMax), check);
    // An aborted request is reported by `watch`.
    body.on("error", () => undefined);
    body.on("data", onData);
    body.once("end", onEnd);
    let unwatch: (() => void) | undefined;
    const end = watch((kind) => settle({ kind }));
    if (isSettled) return end();
    unwatch = end;
    if (body.readableEnded) onEnd();
  });
}

function startTimer(ms: number, onPassed: () => void): () => void {
  const timer = setTimeout(onPassed, ms);
  return () => clearTimeout(timer);
}

/** Receives a whole body as `receiveBytes` does. It is given up when one of two signals aborts. */
export function receiveBody(request: IncomingMessage, { gone, evicted, ...o }: ReceiveOptions): Promise<Received> {
  const watch = (giveUp: GiveUp) => {
    const onGone = () => giveUp("gone");
    const onEvicted = () => giveUp("no-memory");
    gone.addEventListener("abort", onGone, { once: true });
    evicted.addEventListener("abort", onEvicted, { once: true });
    if (gone.aborted) onGone();
    else if (evicted.aborted) onEvicted();
    return () => {
      gone.removeEventListener("abort", onGone);
      evicted.removeEventListener("abort", onEvicted);
    };
  };
  return receiveBytes(request, request.headers["content-length"], { ...o, watch });
}
