import { setTimeout as pause } from "node:timers/promises";
import { createAsyncIterable, readAllBytes } from "@connectrpc/connect/protocol";
import { createReplica, type Replica } from "./byte-replica.ts";
import type { ByteRequest, ByteResponse } from "./bytes.ts";
import { callErrors } from "./call-errors.ts";
import { type CallClock, startClock } from "./deadline.ts";
import type { Endpoint } from "./endpoint.ts";
import { Refusal, refuse } from "./errors.ts";
import { callTriesMax, replayBufferBytesMax, streamTimeoutMsMax, unaryTimeoutMsDefault } from "./limits.ts";
import { isNeverSent, retryPauseMs } from "./retry.ts";
import { askedTimeoutMs, protocolOf, saysUnavailable, setTimeoutMs } from "./wire-protocol.ts";

/** What the caller of an upstream knows of a request that its bytes do not say. */
export interface FetchOptions {
  /** The request may be sent again when nobody knows what became of it. */
  readonly isSafe: boolean;
  /** Many messages are answered, not one: what comes is passed on as it comes. By the content type where it is not given; gRPC's does not tell. */
  readonly isStream?: boolean;
}

/** A service behind, as somebody sees it who passes requests on as bytes. */
export interface ByteUpstream {
  /**
   * Passes a request on, in whichever protocol it is, and gives the answer, whatever its status. Throws a `Refusal` where there is
   * none: no replica could be reached, or the deadline of the request's time-out header passed.
   */
  fetch(request: ByteRequest, o: FetchOptions): Promise<ByteResponse>;
  /** Closes the connections. */
  close(): void;
}

/**
 * Makes an upstream: an endpoint in this process, which is called, or replicas at addresses, which are taken in turn.
 * Over the network an attempt that failed is repeated at the next replica where that is safe, with growing pauses that
 * are drawn at random, inside the deadline.
 */
export function createByteUpstream(
  target:
    | { readonly kind: "local"; readonly endpoint: () => Endpoint }
    | { readonly kind: "remote"; readonly urls: readonly string[] },
): ByteUpstream {
  if (target.kind === "local") {
    return { fetch: (request) => target.endpoint().fetchBytes(request), close: () => undefined };
  }
  const replicas = target.urls.map(createReplica);
  if (replicas.length === 0) throw new Error("an upstream needs at least one address");
  let turn = 0;
  return {
    fetch: (request, o) => {
      const first = turn++;
      return fetchFrom((attempt) => replicas[(first + attempt) % replicas.length] as Replica, request, o);
    },
    close: () => {
      for (const replica of replicas) replica.close();
    },
  };
}

/** How long the caller waits, by its header. */
function timeoutOf(header: Headers, isStream: boolean): number {
  const asked = askedTimeoutMs(header);
  if (asked === undefined) return isStream ? streamTimeoutMsMax : unaryTimeoutMsDefault;
  if (Number.isNaN(asked)) throw refuse(callErrors.INVALID_REQUEST);
  return Math.min(asked, streamTimeoutMsMax);
}

async function fetchFrom(
  replicaOf: (attempt: number) => Replica,
  request: ByteRequest,
  o: FetchOptions,
): Promise<ByteResponse> {
  const isStream = o.isStream ?? protocolOf(request.header) === "connect-stream";
  const { isSafe } = o;
  const deadline = new Date(Date.now() + timeoutOf(request.header, isStream));
  const clock = startClock(request.signal ?? new AbortController().signal, deadline);
  try {
    const body = isSafe && request.body !== undefined ? await clock.race(readWhole(request.body)) : undefined;
    for (let attempt = 0; ; attempt += 1) {
      const outcome = await attemptAt(replicaOf(attempt), request, body, clock, isStream).catch(failureOf);
      const isLast = attempt + 1 >= callTriesMax || clock.signal.aborted;
      if (isLast || !mayRepeat(outcome, isSafe)) return answerOf(outcome, clock);
      const pauseMs = retryPauseMs(attempt);
      // A pause that outlasts the deadline gains nothing: what we have is the answer.
      if (Date.now() + pauseMs >= +clock.deadline) return answerOf(outcome, clock);
      await clock.race(pause(pauseMs));
    }
  } catch (error) {
    clock.stop();
    throw error;
  } finally {
    if (!isStream) clock.stop();
  }
}

type Outcome =
  | { readonly kind: "ANSWER"; readonly response: ByteResponse }
  | { readonly kind: "LOST"; readonly cause: unknown };

function failureOf(cause: unknown): Outcome {
  return { kind: "LOST", cause };
}

async function attemptAt(
  replica: Replica,
  request: ByteRequest,
  body: Uint8Array | undefined,
  clock: CallClock,
  isStream: boolean,
): Promise<Outcome> {
  const header = new Headers(request.header);
  setTimeoutMs(header, Math.max(1, +clock.deadline - Date.now()));
  const { pathname, search } = new URL(request.url);
  const response = await replica.fetch({
    url: new URL(`${pathname}${search}`, replica.url).href,
    method: request.method,
    header,
    signal: clock.signal,
    ...bodyOf(request, body),
  });
  if (isStream) return { kind: "ANSWER", response: { ...response, body: untilClockStops(response.body, clock) } };
  const whole = await readWhole(response.body);
  return { kind: "ANSWER", response: { ...response, body: createAsyncIterable([whole]) } };
}

/** What is sent: what was kept of the request, or what comes from its caller as it comes. */
function bodyOf(request: ByteRequest, kept: Uint8Array | undefined): { readonly body?: AsyncIterable<Uint8Array> } {
  if (kept === undefined) return request.body === undefined ? {} : { body: request.body };
  // A GET has no body, not even an empty one.
  return kept.byteLength === 0 ? {} : { body: createAsyncIterable([kept]) };
}

function mayRepeat(outcome: Outcome, isSafe: boolean): boolean {
  if (outcome.kind === "LOST") return isSafe || isNeverSent(outcome.cause);
  return isSafe && saysUnavailable(outcome.response);
}

function answerOf(outcome: Outcome, clock: CallClock): ByteResponse {
  if (outcome.kind === "ANSWER") return outcome.response;
  if (clock.signal.aborted) throw clock.signal.reason;
  if (outcome.cause instanceof Refusal) throw outcome.cause;
  throw refuse(callErrors.TEMPORARILY_UNAVAILABLE, { cause: outcome.cause });
}

function readWhole(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  return readAllBytes(body, replayBufferBytesMax);
}

async function* untilClockStops(body: AsyncIterable<Uint8Array>, clock: CallClock): AsyncGenerator<Uint8Array, void> {
  try {
    yield* body;
  } finally {
    clock.stop();
  }
}
