import type { DescMethod, Message } from "@bufbuild/protobuf";
import type { Logger } from "@rialto/telemetry";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import type { TokenVerifier } from "../identity/token-verifier.ts";
import { isReady, type Readiness } from "../standard/health.ts";
import { createStandardServices, isStandardPath } from "../standard/standard-services.ts";
import type { HttpRequest, HttpResponse } from "../wire/http-message.ts";
import { admit, answer, answerStream, type CallHead, type EndpointParts } from "./pipeline.ts";
import type { Route, StreamHandler, UnaryHandler } from "./route.ts";
import { createRpcHandler } from "./rpc-handler.ts";

/** Calls with typed messages, for callers in the same process. They use the same pipeline without serialization. */
export interface TypedCalls {
  /** Returns the handler's own object. A caller that passes it on must copy it. */
  unary(head: CallHead, request: Message): Promise<Record<string, unknown>>;
  stream(head: CallHead, request: Message): AsyncIterable<Record<string, unknown>>;
}

/** A service that can be called: in this process with messages or bytes, and over the network through `listen`. */
export interface Endpoint {
  /** Name of the service: the audience of tokens for it. */
  readonly service: string;
  readonly routes: readonly Route[];
  readonly call: TypedCalls;
  /** Makes gRPC health NOT_SERVING from now on. */
  readonly closing: () => void;
  /** Answers a request of any protocol, as over HTTP. Rejects only where the caller is gone. */
  readonly handle: (request: HttpRequest) => Promise<HttpResponse>;
}

/** Creates an endpoint from a service's routes. */
export function createEndpoint(o: {
  readonly service: string;
  readonly routes: readonly Route[];
  readonly verifier: TokenVerifier;
  /** Secret key of the fingerprints of requests, for idempotency keys; the same on all replicas. */
  readonly fingerprintKey: string;
  readonly log: Logger;
  /** Whether gRPC reflection is served. */
  readonly reflection?: boolean;
  /** For gRPC health. Ready from the start where it is not given. */
  readonly readiness?: Readiness;
}): Endpoint {
  const { service, routes, verifier, fingerprintKey, log } = o;
  const parts: EndpointParts = { service, verifier, fingerprintKey, log };
  const unary = new Map<DescMethod, UnaryHandler>(routes.flatMap((route) => [...route.unary]));
  const streams = new Map<DescMethod, StreamHandler>(routes.flatMap((route) => [...route.streams]));

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
    call: {
      async unary(head, request) {
        const handler = unary.get(head.method);
        if (handler === undefined) throw new CallError(callErrors.METHOD_UNKNOWN);
        return answer(parts, await admit(parts, head), handler, request);
      },
      async *stream(head, request) {
        const handler = streams.get(head.method);
        if (handler === undefined) throw new CallError(callErrors.METHOD_UNKNOWN);
        yield* answerStream(parts, await admit(parts, head), handler, request);
      },
    },
    handle: (request) => (isStandardPath(new URL(request.url).pathname) ? answerStandard(request) : answerOwn(request)),
  };
}
