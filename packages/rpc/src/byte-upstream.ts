import { setTimeout as pause } from "node:timers/promises";
import { createAsyncIterable, readAllBytes } from "@connectrpc/connect/protocol";
import { createReplica, type Replica } from "./byte-replica.ts";
import type { ByteRequest, ByteResponse } from "./bytes.ts";
import { callErrors } from "./call-errors.ts";
import { type CallClock, startClock } from "./deadline.ts";
import type { Endpoint } from "./endpoint.ts";
import { Refusal, refuse } from "./errors.ts";
import { type GuardedReplica, guardReplica, type Outcome, type ReplicaStatus } from "./guarded-replica.ts";
import {
  callTriesMax,
  replayBufferBytesMax,
  silenceMsMin,
  streamTimeoutMsMax,
  unaryTimeoutMsDefault,
} from "./limits.ts";
import { isNeverSent, retryPauseMs, Silent } from "./retry.ts";
import { createRetryBudget, type RetryBudget } from "./retry-budget.ts";
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
  /** How each replica stands, as far as calls have shown. */
  status(): readonly ReplicaStatus[];
  /** Closes the connections. */
  close(): void;
}

/**
 * Makes an upstream: an endpoint in this process, which is called, or replicas at addresses, which are taken in turn.
 * Over the network an attempt that failed is repeated at the next replica where that is safe, with growing pauses that
 * are drawn at random, inside the deadline and a budget. A replica whose breaker is open is passed over; where all are, nothing is
 * attempted and the refusal comes at once.
 */
export function createByteUpstream(
  target:
    | { readonly kind: "local"; readonly endpoint: () => Endpoint }
    | { readonly kind: "remote"; readonly urls: readonly string[] },
): ByteUpstream {
  if (target.kind === "local") {
    const well: ReplicaStatus = { breaker: "closed", lastError: undefined };
    return {
      fetch: (request) => target.endpoint().fetchBytes(request),
      status: () => [well],
      close: () => undefined,
    };
  }
  const replicas = target.urls.map((url) => guardReplica(createReplica(url)));
  if (replicas.length === 0) throw new Error("an upstream needs at least one address");
  const budget = createRetryBudget();
  let turn = 0;
  return {
    fetch: (request, o) => {
      const first = turn++ % replicas.length;
      budget.earn();
      return fetchFrom({ replicas: [...replicas.slice(first), ...replicas.slice(0, first)], budget }, request, o);
    },
    status: () => replicas.map((replica) => replica.status()),
    close: () => {
      for (const { replica } of replicas) replica.close();
    },
  };
}

/** The replicas in the order of a call's turn, and what may be repeated. */
interface Replicas {
  readonly replicas: readonly GuardedReplica[];
  readonly budget: RetryBudget;
}

/**
 * The next replica to try: one that was not tried in this call, where there is one. A call that is safe to repeat may be the trial of one that was
 * down; any other is only where nobody else is left.
 */
function nextOf(
  replicas: readonly GuardedReplica[],
  tried: ReadonlySet<GuardedReplica>,
  isSafe: boolean,
): GuardedReplica | undefined {
  const usable = replicas.filter((replica) => replica.stand() !== "open");
  const fresh = usable.filter((replica) => !tried.has(replica));
  const among = fresh.length > 0 ? fresh : usable;
  const closed = among.find((replica) => replica.stand() === "closed");
  return isSafe ? among[0] : (closed ?? among[0]);
}

/** How long the caller waits, by its header. */
function timeoutOf(header: Headers, isStream: boolean): number {
  const asked = askedTimeoutMs(header);
  if (asked === undefined) return isStream ? streamTimeoutMsMax : unaryTimeoutMsDefault;
  if (Number.isNaN(asked)) throw refuse(callErrors.INVALID_REQUEST);
  return Math.min(asked, streamTimeoutMsMax);
}

async function fetchFrom({ replicas, budget }: Replicas, request: ByteRequest, o: FetchOptions): Promise<ByteResponse> {
  const isStream = o.isStream ?? protocolOf(request.header) === "connect-stream";
  const { isSafe } = o;
  const deadline = new Date(Date.now() + timeoutOf(request.header, isStream));
  const clock = startClock(request.signal ?? new AbortController().signal, deadline);
  const tried = new Set<GuardedReplica>();
  let outcome: Outcome = { kind: "LOST", cause: new Error("every replica's breaker is open") };
  try {
    const body = isSafe && request.body !== undefined ? await clock.race(readWhole(request.body)) : undefined;
    for (let attempt = 0; ; attempt += 1) {
      const replica = nextOf(replicas, tried, isSafe);
      if (replica === undefined) return answerOf(outcome, clock);
      tried.add(replica);
      outcome = await attemptAt(replica, request, body, clock, isStream);
      const isLast = attempt + 1 >= callTriesMax || clock.signal.aborted;
      if (isLast || !mayRepeat(outcome, isSafe) || !budget.spend()) return answerOf(outcome, clock);
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

async function attemptAt(
  guarded: GuardedReplica,
  request: ByteRequest,
  body: Uint8Array | undefined,
  clock: CallClock,
  isStream: boolean,
): Promise<Outcome> {
  const started = Date.now();
  // A caller who leaves, or who was in a hurry, tells nothing about the replica; one who waited in vain does.
  const isSilent = () => isDeadline(clock) && Date.now() - started >= silenceMsMin;
  const outcome = await guarded.attempt(
    () =>
      send(guarded.replica, request, body, clock, isStream).catch((cause: unknown) => ({
        kind: "LOST",
        cause: isSilent() ? new Silent("no answer within the deadline", { cause }) : cause,
      })),
    () => clock.signal.aborted && !isSilent(),
  );
  if (outcome.kind === "ANSWER" && saysUnavailable(outcome.response)) guarded.saidUnavailable();
  return outcome;
}

function isDeadline({ signal }: CallClock): boolean {
  return signal.reason instanceof Refusal && signal.reason.reason === callErrors.DEADLINE_PASSED.reason;
}

async function send(
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
