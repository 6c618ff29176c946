import { createSecretKey } from "node:crypto";
import type { DescMethod, Message } from "@bufbuild/protobuf";
import { createDeadlineWheel } from "@rialto/async";
import type { UnaryHandler } from "@rialto/connect";
import type { Logger, Metrics, Tracing } from "@rialto/telemetry";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import type { TokenVerifier } from "../identity/token-verifier.ts";
import { isReady, type Readiness } from "../standard/health.ts";
import { createStandardServices, isStandardPath } from "../standard/standard-services.ts";
import type { HttpRequest, HttpResponse } from "../wire/http-message.ts";
import { createCallCount } from "./call-metrics.ts";
import type { OutgoingCall } from "./context.ts";
import { createFastPath } from "./fast-path.ts";
import { createMethodPlans } from "./method-plan.ts";
import { admitInProcess, answer, answerStream, type EndpointParts } from "./pipeline.ts";
import type { UnaryHandler as Handler, Route, StreamHandler } from "./route.ts";
import { createRpcHandler } from "./rpc-handler.ts";
import type { ReceiveCall } from "./service-bodies.ts";
import { prepareValidation } from "./validation.ts";

/** Calls with typed messages, for one caller in the same process. They use the same pipeline without serialization. */
export interface TypedCalls {
  /**
   * Gives the request to the handler, which may change it. Returns the handler's own object: a caller that passes it on
   * must copy it.
   */
  unary(call: OutgoingCall, request: Message): Promise<Record<string, unknown>>;
  stream(call: OutgoingCall, request: Message): AsyncIterable<Record<string, unknown>>;
}

/** A service that can be called: in this process with messages or bytes, and over the network through `listen`. */
export interface Endpoint {
  /** Name of the service: the audience of tokens for it. */
  readonly service: string;
  readonly routes: readonly Route[];
  /**
   * Returns the calls of a service or the gateway in this process, by its name. Whoever puts the process together gives
   * each its own: the name is believed without a token.
   */
  readonly callsOf: (caller: string) => TypedCalls;
  /** Makes gRPC health NOT_SERVING from now on. */
  readonly closing: () => void;
  /** Ends the calls in progress with TEMPORARILY_UNAVAILABLE, and those that still come. */
  readonly endCalls: () => void;
  /** Answers a request of any protocol, as over HTTP. Rejects only where the caller is gone. */
  readonly handle: (request: HttpRequest) => Promise<HttpResponse>;
  /**
   * Creates the fast path of its unary calls over HTTP, which says the same as `handle`. Where an endpoint has none,
   * `listen` answers everything by `handle`.
   */
  readonly fastPath?: ((receiveCall: ReceiveCall) => UnaryHandler) | undefined;
}

/** Creates an endpoint from a service's routes. */
export function createEndpoint(o: {
  readonly service: string;
  readonly routes: readonly Route[];
  readonly verifier: TokenVerifier;
  /** Secret key of the fingerprints of requests, for idempotency keys; the same on all replicas. */
  readonly fingerprintKey: string;
  readonly log: Logger;
  /** Makes the spans of its calls. Nothing is traced without it. */
  readonly tracing?: Tracing | undefined;
  /** Counts its calls. Nothing is counted without it. */
  readonly metrics?: Metrics | undefined;
  /** Whether gRPC reflection is served. */
  readonly reflection?: boolean;
  /** For gRPC health. Ready from the start where it is not given. */
  readonly readiness?: Readiness;
}): Endpoint {
  const { service, routes, verifier, log, tracing } = o;
  const fingerprintKey = createSecretKey(o.fingerprintKey, "utf8");
  const planOf = createMethodPlans();
  const wheel = createDeadlineWheel();
  const countCall = o.metrics === undefined ? undefined : createCallCount(o.metrics);
  const parts: EndpointParts = { service, verifier, fingerprintKey, log, tracing, countCall, planOf, wheel };
  const unary = new Map<DescMethod, Handler>(routes.flatMap((route) => [...route.unary]));
  const streams = new Map<DescMethod, StreamHandler>(routes.flatMap((route) => [...route.streams]));
  for (const { input } of [...unary.keys(), ...streams.keys()]) prepareValidation(input);

  const closing = new AbortController();
  const services = routes.map((route) => route.service);
  const answerStandard = createStandardServices({
    services,
    isListed: () => true,
    reflection: o.reflection ?? false,
    async healthOf(name) {
      if (name !== "" && !services.some(({ typeName }) => typeName === name)) return undefined;
      return o.readiness === undefined || isReady(await o.readiness()) ? "SERVING" : "NOT_SERVING";
    },
    closing: closing.signal,
  });
  const answerOwn = createRpcHandler(parts, routes);

  return {
    service,
    routes,
    closing: () => closing.abort(),
    endCalls: wheel.end,
    callsOf: (caller) => ({
      async unary(call, request) {
        const handler = unary.get(call.method);
        if (handler === undefined) throw new CallError(callErrors.METHOD_UNKNOWN);
        const found = admitInProcess(parts, caller, call);
        const admitted = found instanceof Promise ? await found : found;
        return await answer(parts, admitted, handler, request);
      },
      async *stream(call, request) {
        const handler = streams.get(call.method);
        if (handler === undefined) throw new CallError(callErrors.METHOD_UNKNOWN);
        yield* answerStream(parts, await admitInProcess(parts, caller, call), handler, request);
      },
    }),
    fastPath: (receiveCall) => createFastPath(parts, routes, receiveCall),
    handle: (request) => (isStandardPath(new URL(request.url).pathname) ? answerStandard(request) : answerOwn(request)),
  };
}
