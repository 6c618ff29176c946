import { abortSignalOf, type CancelSignal, createDeadlineWheel, type DeadlineWheel, LazySignal } from "@rialto/async";
import { toFields, toWebHeaders } from "@rialto/connect";
import type { Logger } from "@rialto/telemetry";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import { dnsPollMs, upstreamCallsMax, upstreamCallsWaitingMax, upstreamStreamsMax } from "../limits.ts";
import { type CallClock, callTimeoutMs, startClock } from "../server/deadline.ts";
import type { Endpoint } from "../server/endpoint.ts";
import { type CallHeaders, nodeHeaders } from "../wire/call-headers.ts";
import type { HttpRequest, HttpResponse } from "../wire/http-message.ts";
import { askedTimeoutMs, protocolOf, setTimeoutMs } from "../wire/wire-protocol.ts";
import type { GuardedReplica, ReplicaStatus } from "./circuit-breaker.ts";
import type { ReplicaLimits } from "./replica.ts";
import { createReplicaSet } from "./replica-set.ts";
import { readBody, readWhole, withBody } from "./request-body.ts";
import { createRetryBudget } from "./retry.ts";
import { callOnce, sendOnce } from "./send-once.ts";
import { type Replicas, tryReplicas } from "./try-replicas.ts";
import type { WholeAnswer, WholeCall } from "./whole-call.ts";

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

/** What an upstream cannot read from the bytes of a call. */
export interface UpstreamCallOptions {
  /** The call may be retried when its result is unknown. */
  readonly isSafe: boolean;
  /** Aborts when nobody waits for the answer any more. */
  readonly canceled: CancelSignal;
}

/** A service to which requests are passed on as bytes. */
export interface Upstream {
  /**
   * Passes a request on, in any protocol, and returns the response, whatever its status. The body is read first, within
   * the deadline: a client that sends slowly, or only half of a body, uses nothing of the service. Rejects with the
   * error of reading the body, and with a `CallError` where there is no response: no replica could be reached, or the
   * deadline of the request's timeout header passed. The body of a response throws where it breaks off.
   */
  fetch(request: HttpRequest, o: FetchOptions): Promise<HttpResponse>;
  /**
   * Passes on a unary call of Connect or gRPC-Web as `fetch` does, without web headers and streams: over pooled
   * connections of HTTP/1.1, with the fields as they are. Rejects as `fetch` does, and with the error of receiving the
   * body.
   */
  call(call: WholeCall, o: UpstreamCallOptions): Promise<WholeAnswer>;
  /** The status of each replica, as far as calls have shown. */
  status(): readonly ReplicaStatus[];
  /** Ends the calls in progress with TEMPORARILY_UNAVAILABLE, and those that still come. */
  endCalls(): void;
  /** Closes the connections. */
  close(): void;
}

/** Replicas of a service that are called over the network. */
export interface RemoteTarget {
  readonly kind: "remote";
  /** One or more URLs, of replicas or of names whose addresses are replicas: `parseServiceUrl` has their forms. */
  readonly urls: readonly string[];
  readonly limits?: ReplicaLimits;
  /** Where changes of a name's addresses are logged. */
  readonly log?: Logger;
  /** A number from 0 to 1, without 1. It chooses the replicas. */
  readonly random?: () => number;
  /** How often names are looked up. */
  readonly pollMs?: number;
  /** Called for each further attempt of a call. */
  readonly onRetry?: (() => void) | undefined;
}

/**
 * Creates an upstream: an endpoint in this process, which is called, or replicas over the network, among which
 * `chooseReplica` chooses. Over the network a failed attempt is retried at another replica where that is safe, after
 * growing random delays, within the deadline and a budget. A replica whose breaker is open is skipped while another is
 * left. A call fails at once while no address of the service is known, but for the first lookup, which it waits for. A
 * request that fails by itself, for example with a broken response, is neither retried nor counted against the
 * replica: INTERNAL_ERROR. Streams have connections of their own, so that they delay no call.
 */
export function createUpstream(
  target: { readonly kind: "local"; readonly endpoint: () => Endpoint } | RemoteTarget,
): Upstream {
  const wheel = createDeadlineWheel();
  if (target.kind === "local") {
    const healthy: ReplicaStatus = { breaker: "closed", lastError: undefined };
    return {
      fetch: (request, o) => fetchInProcess(target.endpoint(), wheel, request, o),
      call: (call, o) => callInProcess(target.endpoint(), wheel, call, o),
      status: () => [healthy],
      endCalls: wheel.end,
      close: () => undefined,
    };
  }
  const { urls, limits = limitsDefault, log, random = Math.random, pollMs = dnsPollMs, onRetry } = target;
  const replicas = createReplicaSet({ urls, limits, log, random, pollMs });
  const among: Replicas = { replicas, budget: createRetryBudget(), wheel, random, onRetry };
  return {
    fetch: (request, o) => fetchFromReplicas(among, request, o),
    call: (call, o) => callReplicas(among, call, o),
    status: () => replicas.current().map((replica) => replica.status()),
    endCalls: wheel.end,
    close: replicas.close,
  };
}

const limitsDefault: ReplicaLimits = {
  callsMax: upstreamCallsMax,
  callsWaitingMax: upstreamCallsWaitingMax,
  streamsMax: upstreamStreamsMax,
};

/** Starts the clock of a call, by the timeout that its headers ask for. */
function startCall(wheel: DeadlineWheel, headers: CallHeaders, isStream: boolean, parent: CancelSignal): CallClock {
  const asked = askedTimeoutMs(headers);
  if (Number.isNaN(asked)) throw new CallError(callErrors.INVALID_REQUEST);
  return startClock(wheel, parent, new Date(Date.now() + callTimeoutMs(asked, isStream)));
}

/** Whether the response has many messages. */
function isStreamed({ header }: HttpRequest, o: FetchOptions): boolean {
  return o.isStream ?? (o.takesStream === true || protocolOf(header) === "connect-stream");
}

async function fetchInProcess(
  endpoint: Endpoint,
  wheel: DeadlineWheel,
  request: HttpRequest,
  o: FetchOptions,
): Promise<HttpResponse> {
  const parent = request.signal ?? new LazySignal();
  const clock = startCall(wheel, request.header, isStreamed(request, o), parent);
  try {
    const body = await clock.race(readBody(request, o));
    const header = new Headers(request.header);
    setTimeoutMs(header, Math.max(1, +clock.deadline - Date.now()));
    return await endpoint.handle(withBody({ ...request, header }, body));
  } finally {
    clock.stop();
  }
}

/** The endpoint reads web headers, and its answer is read to the end. */
async function callInProcess(
  endpoint: Endpoint,
  wheel: DeadlineWheel,
  { verb, path, fields, receive }: WholeCall,
  { isSafe, canceled }: UpstreamCallOptions,
): Promise<WholeAnswer> {
  const body = {
    [Symbol.asyncIterator]: async function* () {
      yield await receive();
    },
  };
  const request: HttpRequest = {
    url: `http://in-process${path}`,
    method: verb,
    header: toWebHeaders(fields),
    body,
    signal: abortSignalOf(canceled),
  };
  const answer = await fetchInProcess(endpoint, wheel, request, { isSafe, isStream: false });
  const whole = await readWhole(answer.body);
  return { status: answer.status, fields: toFields(answer.header), body: whole, trailers: toFields(answer.trailer) };
}

async function fetchFromReplicas(among: Replicas, request: HttpRequest, o: FetchOptions): Promise<HttpResponse> {
  const isStream = isStreamed(request, o);
  const clock = startCall(among.wheel, request.header, isStream, request.signal ?? new LazySignal());
  try {
    const body = await clock.race(readBody(request, o));
    const channel = isStream ? "streams" : "calls";
    const send = (replica: GuardedReplica) => sendOnce(replica, request, body, clock, isStream);
    return await tryReplicas(among, { isSafe: o.isSafe, channel, send, isWhole: !isStream }, clock);
  } catch (error) {
    clock.stop();
    throw error;
  }
}

/** Makes no promise of its own where the body is here. */
function callReplicas(among: Replicas, call: WholeCall, o: UpstreamCallOptions): Promise<WholeAnswer> {
  let clock: CallClock | undefined;
  try {
    clock = startCall(among.wheel, nodeHeaders(call.fields), false, o.canceled);
    const receiving = call.receive();
    if (receiving instanceof Promise) return receiveAndCall(among, call, receiving, o.isSafe, clock);
    return callWith(receiving, among, call, o.isSafe, clock);
  } catch (error) {
    clock?.stop();
    return Promise.reject(error);
  }
}

async function receiveAndCall(
  among: Replicas,
  call: WholeCall,
  receiving: Promise<Uint8Array>,
  isSafe: boolean,
  clock: CallClock,
): Promise<WholeAnswer> {
  try {
    return await callWith(await clock.race(receiving), among, call, isSafe, clock);
  } finally {
    clock.stop();
  }
}

function callWith(
  received: Uint8Array,
  among: Replicas,
  { verb, path, fields }: WholeCall,
  isSafe: boolean,
  clock: CallClock,
): Promise<WholeAnswer> {
  // A GET has no body, not even an empty one.
  const body = received.byteLength === 0 ? undefined : received;
  const send = (replica: GuardedReplica) => callOnce(replica, { verb, path, fields, body }, clock);
  return tryReplicas(among, { isSafe, channel: "calls", send, isWhole: true }, clock);
}
