import { backoffMs, sleep } from "@rialto/async";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { callTriesMax, upstreamCallsMax, upstreamCallsWaitingMax, upstreamStreamsMax } from "../limits.ts";
import { type CallClock, callTimeoutMs, startClock } from "../server/deadline.ts";
import type { Endpoint } from "../server/endpoint.ts";
import type { ByteRequest, ByteResponse } from "../wire/http-message.ts";
import { askedTimeoutMs, protocolOf, saysUnavailable, setTimeoutMs } from "../wire/wire-protocol.ts";
import { attemptAt } from "./attempt.ts";
import { type GuardedReplica, guardReplica, type Outcome, type ReplicaStatus } from "./circuit-breaker.ts";
import { createReplica, type ReplicaRoom } from "./replica.ts";
import { readBody, withBody } from "./request-body.ts";
import { brokenBodyIn, isOwnFailure } from "./response-failure.ts";
import { isNeverSent, retryBackoff } from "./retry.ts";
import { createRetryBudget, type RetryBudget } from "./retry-budget.ts";

/** What the caller of an upstream knows of a request that its bytes do not say. */
export interface FetchOptions {
  /** The request may be sent again when nobody knows what became of it. */
  readonly isSafe: boolean;
  /** Many messages are answered, not one: what comes is passed on as it comes. By the content type where it is not given; gRPC's does not tell. */
  readonly isStream?: boolean;
  /** Many messages are asked, not one: what comes is passed on as it comes, and never sent twice. */
  readonly takesStream?: boolean;
}

/** A service behind, as somebody sees it who passes requests on as bytes. */
export interface ByteUpstream {
  /**
   * Passes a request on, in whichever protocol it is, and gives the answer, whatever its status. Its body is read first, inside the deadline: who
   * sends theirs slowly, or only half of it, takes up nothing behind, and what that reading throws is thrown as it is. Throws a `CallError` where
   * there is no answer: no replica could be reached, or the deadline of the request's time-out header passed.
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
 * attempted and the refusal comes at once. What is one request's own fault, an answer that breaks alone, is neither repeated nor held against the
 * replica: INTERNAL_ERROR. Streams have connections of their own, so that they keep no call waiting.
 */
export function createByteUpstream(
  target:
    | { readonly kind: "local"; readonly endpoint: () => Endpoint }
    | { readonly kind: "remote"; readonly urls: readonly string[]; readonly room?: ReplicaRoom },
): ByteUpstream {
  if (target.kind === "local") {
    const well: ReplicaStatus = { breaker: "closed", lastError: undefined };
    return {
      fetch: (request, o) => fetchHere(target.endpoint(), request, o),
      status: () => [well],
      close: () => undefined,
    };
  }
  const { urls, room = roomDefault } = target;
  const replicas = urls.map((url) => guardReplica(createReplica(url, room)));
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

const roomDefault: ReplicaRoom = {
  callsMax: upstreamCallsMax,
  callsWaitingMax: upstreamCallsWaitingMax,
  streamsMax: upstreamStreamsMax,
};

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
  if (Number.isNaN(asked)) throw new CallError(callErrors.INVALID_REQUEST);
  return callTimeoutMs(asked, isStream);
}

/** Whether a request is answered with many messages, and the clock of its call. */
function begin(request: ByteRequest, o: FetchOptions): { readonly isStream: boolean; readonly clock: CallClock } {
  const isStream = o.isStream ?? protocolOf(request.header) === "connect-stream";
  const deadline = new Date(Date.now() + timeoutOf(request.header, isStream));
  return { isStream, clock: startClock(request.signal ?? new AbortController().signal, deadline) };
}

async function fetchHere(endpoint: Endpoint, request: ByteRequest, o: FetchOptions): Promise<ByteResponse> {
  const { clock } = begin(request, o);
  try {
    const kept = await clock.race(readBody(request, o));
    const header = new Headers(request.header);
    setTimeoutMs(header, Math.max(1, +clock.deadline - Date.now()));
    return await endpoint.fetchBytes(withBody({ ...request, header }, kept));
  } finally {
    clock.stop();
  }
}

async function fetchFrom({ replicas, budget }: Replicas, request: ByteRequest, o: FetchOptions): Promise<ByteResponse> {
  const { isStream, clock } = begin(request, o);
  const { isSafe } = o;
  const tried = new Set<GuardedReplica>();
  let outcome: Outcome = { kind: "LOST", cause: new Error("every replica's breaker is open") };
  try {
    const body = await clock.race(readBody(request, o));
    for (let attempt = 0; ; attempt += 1) {
      const replica = nextOf(replicas, tried, isSafe);
      if (replica === undefined) return answerOf(outcome, clock);
      tried.add(replica);
      outcome = await attemptAt(replica, request, body, clock, isStream);
      const isLast = attempt + 1 >= callTriesMax || clock.signal.aborted;
      if (isLast || !mayRepeat(outcome, isSafe) || !budget.spend()) return answerOf(outcome, clock);
      const pauseMs = backoffMs(attempt + 1, retryBackoff);
      // A pause that outlasts the deadline gains nothing: what we have is the answer.
      if (Date.now() + pauseMs >= +clock.deadline) return answerOf(outcome, clock);
      await clock.race(sleep(pauseMs));
    }
  } catch (error) {
    clock.stop();
    throw error;
  } finally {
    if (!isStream) clock.stop();
  }
}

function mayRepeat(outcome: Outcome, isSafe: boolean): boolean {
  if (outcome.kind === "LOST") return isNeverSent(outcome.cause) || (isSafe && !isOwnFailure(outcome.cause));
  return isSafe && saysUnavailable(outcome.response);
}

function answerOf(outcome: Outcome, clock: CallClock): ByteResponse {
  if (outcome.kind === "ANSWER") return outcome.response;
  if (clock.signal.aborted) throw clock.signal.reason;
  if (outcome.cause instanceof CallError) throw outcome.cause;
  const body = brokenBodyIn(outcome.cause);
  if (body !== undefined) throw body.cause;
  // Whoever asks again would break it again, so it is no outage.
  if (isOwnFailure(outcome.cause)) throw new CallError(callErrors.INTERNAL_ERROR, { cause: outcome.cause });
  throw new CallError(callErrors.TEMPORARILY_UNAVAILABLE, { cause: outcome.cause });
}
