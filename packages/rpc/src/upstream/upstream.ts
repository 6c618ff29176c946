import { backoffMs, createDeadlineWheel, type DeadlineWheel, sleep } from "@rialto/async";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { callTriesMax, upstreamCallsMax, upstreamCallsWaitingMax, upstreamStreamsMax } from "../limits.ts";
import { type CallClock, callTimeoutMs, startClock } from "../server/deadline.ts";
import type { Endpoint } from "../server/endpoint.ts";
import type { HttpRequest, HttpResponse } from "../wire/http-message.ts";
import { askedTimeoutMs, protocolOf, saysUnavailable, setTimeoutMs } from "../wire/wire-protocol.ts";
import { type GuardedReplica, guardReplica, type Outcome, type ReplicaStatus } from "./circuit-breaker.ts";
import { createReplica, type ReplicaLimits } from "./replica.ts";
import { readBody, withBody } from "./request-body.ts";
import { abortedBodyIn, isRequestFailure } from "./response-failure.ts";
import { createRetryBudget, isNeverSent, type RetryBudget, retryBackoff } from "./retry.ts";
import { sendOnce } from "./send-once.ts";

/** What an upstream cannot read from the bytes of a request. */
export interface FetchOptions {
  /** The request may be retried when its result is unknown. */
  readonly isSafe: boolean;
  /**
   * The response has many messages, and is passed on as it arrives. By the content type where it is not given; gRPC's
   * does not tell.
   */
  readonly isStream?: boolean;
  /** The request has many messages. It is passed on as it arrives, and never retried. */
  readonly takesStream?: boolean;
}

/** A service to which requests are passed on as bytes. */
export interface Upstream {
  /**
   * Passes a request on, in any protocol, and returns the response, whatever its status. The body is read first, within
   * the deadline: a client that sends slowly, or only half of a body, uses nothing of the service. Rejects with the
   * error of reading the body, and with a `CallError` where there is no response: no replica could be reached, or the
   * deadline of the request's timeout header passed.
   */
  fetch(request: HttpRequest, o: FetchOptions): Promise<HttpResponse>;
  /** The status of each replica, as far as calls have shown. */
  status(): readonly ReplicaStatus[];
  /** Closes the connections. */
  close(): void;
}

/**
 * Creates an upstream: an endpoint in this process, which is called, or replicas at addresses, which are used in turn.
 * Over the network a failed attempt is retried at the next replica where that is safe, after growing random delays,
 * within the deadline and a budget. A replica whose breaker is open is skipped; where all are open, the call fails at
 * once. A request that fails by itself, for example with a broken response, is neither retried nor counted against the
 * replica: INTERNAL_ERROR. Streams have connections of their own, so that they delay no call.
 */
export function createUpstream(
  target:
    | { readonly kind: "local"; readonly endpoint: () => Endpoint }
    | { readonly kind: "remote"; readonly urls: readonly string[]; readonly limits?: ReplicaLimits },
): Upstream {
  const wheel = createDeadlineWheel();
  if (target.kind === "local") {
    const healthy: ReplicaStatus = { breaker: "closed", lastError: undefined };
    return {
      fetch: (request, o) => fetchInProcess(target.endpoint(), wheel, request, o),
      status: () => [healthy],
      close: () => undefined,
    };
  }
  const { urls, limits = limitsDefault } = target;
  const replicas = urls.map((url) => guardReplica(createReplica(url, limits)));
  if (replicas.length === 0) throw new Error("an upstream needs at least one address");
  const budget = createRetryBudget();
  let turn = 0;
  return {
    fetch: (request, o) => {
      const first = turn++ % replicas.length;
      budget.earn();
      return fetchFromReplicas(
        { replicas: [...replicas.slice(first), ...replicas.slice(0, first)], budget, wheel },
        request,
        o,
      );
    },
    status: () => replicas.map((replica) => replica.status()),
    close: () => {
      for (const { replica } of replicas) replica.close();
    },
  };
}

const limitsDefault: ReplicaLimits = {
  callsMax: upstreamCallsMax,
  callsWaitingMax: upstreamCallsWaitingMax,
  streamsMax: upstreamStreamsMax,
};

/** The replicas in the order of a call's turn, the budget of retries, and the deadlines of all calls. */
interface Replicas {
  readonly replicas: readonly GuardedReplica[];
  readonly budget: RetryBudget;
  readonly wheel: DeadlineWheel;
}

/**
 * Returns the next replica to try: one that was not tried in this call, where there is one. A call that is safe to
 * retry may be the probe of a half-open breaker; another call only where no other replica is left.
 */
function nextOf(
  replicas: readonly GuardedReplica[],
  tried: ReadonlySet<GuardedReplica>,
  isSafe: boolean,
): GuardedReplica | undefined {
  const usable = replicas.filter((replica) => replica.state() !== "open");
  const untried = usable.filter((replica) => !tried.has(replica));
  const candidates = untried.length > 0 ? untried : usable;
  const closed = candidates.find((replica) => replica.state() === "closed");
  return isSafe ? candidates[0] : (closed ?? candidates[0]);
}

/** Returns the timeout of a call, by its header. */
function timeoutOf(header: Headers, isStream: boolean): number {
  const asked = askedTimeoutMs(header);
  if (Number.isNaN(asked)) throw new CallError(callErrors.INVALID_REQUEST);
  return callTimeoutMs(asked, isStream);
}

function startCall(
  wheel: DeadlineWheel,
  request: HttpRequest,
  o: FetchOptions,
): { readonly isStream: boolean; readonly clock: CallClock } {
  const isStream = o.isStream ?? (o.takesStream === true || protocolOf(request.header) === "connect-stream");
  const deadline = new Date(Date.now() + timeoutOf(request.header, isStream));
  return { isStream, clock: startClock(wheel, request.signal ?? new AbortController().signal, deadline) };
}

async function fetchInProcess(
  endpoint: Endpoint,
  wheel: DeadlineWheel,
  request: HttpRequest,
  o: FetchOptions,
): Promise<HttpResponse> {
  const { clock } = startCall(wheel, request, o);
  try {
    const body = await clock.race(readBody(request, o));
    const header = new Headers(request.header);
    setTimeoutMs(header, Math.max(1, +clock.deadline - Date.now()));
    return await endpoint.handle(withBody({ ...request, header }, body));
  } finally {
    clock.stop();
  }
}

async function fetchFromReplicas(
  { replicas, budget, wheel }: Replicas,
  request: HttpRequest,
  o: FetchOptions,
): Promise<HttpResponse> {
  const { isStream, clock } = startCall(wheel, request, o);
  const { isSafe } = o;
  const tried = new Set<GuardedReplica>();
  let outcome: Outcome = { kind: "FAILURE", cause: new Error("every replica's breaker is open") };
  try {
    const body = await clock.race(readBody(request, o));
    for (let attempt = 0; ; attempt += 1) {
      const replica = nextOf(replicas, tried, isSafe);
      if (replica === undefined) return responseOf(outcome, clock);
      tried.add(replica);
      outcome = await sendOnce(replica, request, body, clock, isStream);
      const isLast = attempt + 1 >= callTriesMax || clock.signal.aborted;
      if (isLast || !mayRetry(outcome, isSafe) || !budget.spend()) return responseOf(outcome, clock);
      const delayMs = backoffMs(attempt + 1, retryBackoff);
      // A delay past the deadline gains nothing: return this outcome.
      if (Date.now() + delayMs >= +clock.deadline) return responseOf(outcome, clock);
      await clock.race(sleep(delayMs));
    }
  } catch (error) {
    clock.stop();
    throw error;
  } finally {
    if (!isStream) clock.stop();
  }
}

function mayRetry(outcome: Outcome, isSafe: boolean): boolean {
  if (outcome.kind === "FAILURE") return isNeverSent(outcome.cause) || (isSafe && !isRequestFailure(outcome.cause));
  return isSafe && saysUnavailable(outcome.response);
}

function responseOf(outcome: Outcome, clock: CallClock): HttpResponse {
  if (outcome.kind === "RESPONSE") return outcome.response;
  if (clock.signal.aborted) throw clock.signal.reason;
  if (outcome.cause instanceof CallError) throw outcome.cause;
  const body = abortedBodyIn(outcome.cause);
  if (body !== undefined) throw body.cause;
  // A retry would fail again, so this is no outage.
  if (isRequestFailure(outcome.cause)) throw new CallError(callErrors.INTERNAL_ERROR, { cause: outcome.cause });
  throw new CallError(callErrors.TEMPORARILY_UNAVAILABLE, { cause: outcome.cause });
}
