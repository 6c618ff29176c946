import type { IncomingMessage, ServerResponse } from "node:http";
import type { DescMethod } from "@bufbuild/protobuf";
import { type AnswersWhole, createAddressCheck, limitKeyOf, limitWriteTime } from "@rialto/http";
import { CallError, type Caller, callErrors, isStandardPath, responseWriteTimeout } from "@rialto/rpc";
import { addReadyGauge } from "@rialto/service";
import type { Logger } from "@rialto/telemetry";
import { createAddressOf, type ForwardedHeader } from "./admission/client-address.ts";
import { createCors } from "./admission/cors.ts";
import { createEarlyRefusal, isOfHealth } from "./admission/early-refusal.ts";
import { createFairQueue } from "./admission/fair-queue.ts";
import { type InFlightRequest, TooBusy } from "./admission/in-flight-request.ts";
import type { LoadShedding } from "./admission/load-shedding.ts";
import { createAccessPolicies, identifyCaller, unknownMethod } from "./admission/policy.ts";
import { type CountRequest, createRequestLimits } from "./admission/request-limits.ts";
import { securityHeaders } from "./admission/security-headers.ts";
import { contractServices } from "./contract.ts";
import { createAccessLog } from "./exchange/access-log.ts";
import { type AdmittedExchange, Exchange } from "./exchange/exchange.ts";
import { createRequestCounts } from "./exchange/request-metrics.ts";
import { isOfTraces, isOfTracesPage, traceRequest } from "./exchange/request-span.ts";
import { createHealth } from "./health/health.ts";
import type { GatewayOptions } from "./options.ts";
import { createPages } from "./pages/pages.ts";
import { answerRest } from "./rest/rest.ts";
import { compileRoutes, unrouted } from "./rest/routes.ts";
import { answerError } from "./rpc/answer-error.ts";
import { forward } from "./rpc/forward.ts";
import { createForwardUnary, isForwardedWhole } from "./rpc/forward-unary.ts";
import { isGrpc, isProcedurePath, publishedMethods, requireRpc } from "./rpc/procedures.ts";
import { createStandardServicesHandler } from "./rpc/standard-services.ts";
import { createAnswersWhole } from "./rpc/whole-answers.ts";
import { createServiceCalls } from "./upstream/unary-call.ts";

/** Longest URL that is accepted. The longest honest one holds field names and a page token. */
const urlCharsMax = 8 * 1024;

/**
 * Makes the handler of every request on the port, and what says which of them have whole answers. A request goes
 * through these in order: a place in the fair queue of addresses, refusal by address (load shedding), security and CORS
 * headers, health, then the kind of path: page, gRPC's own services, procedure, REST route. A method is reached after
 * the caller is identified, counted and allowed.
 */
export function createRequestHandler(
  o: GatewayOptions,
  load: LoadShedding,
  { stopping, closing }: { readonly stopping: AbortSignal; readonly closing: AbortSignal },
): {
  readonly onRequest: (request: IncomingMessage, response: ServerResponse) => void;
  readonly answersWhole: AnswersWhole;
} {
  const services = [...contractServices, ...(o.furtherServices ?? [])];
  const methods = publishedMethods(services);
  const requireAccess = createAccessPolicies(services);
  const table = compileRoutes(services);
  const pages = createPages(table.routes, { showsTraces: o.showsTraces ?? false });
  const health = createHealth(o, o, stopping);
  const isBackend = createAddressCheck(o.backendAddresses ?? []);
  const count: CountRequest =
    o.requestLimits === undefined ? () => undefined : createRequestLimits({ ...o.requestLimits, isBackend });
  const answerStandard = createStandardServicesHandler({
    services,
    reflection: o.reflection ?? false,
    upstreams: o,
    readiness: health.readiness,
    closing,
    count,
  });
  const callService = createServiceCalls(o);
  const forwardUnary = createForwardUnary(o);
  const { writeTimeout = responseWriteTimeout } = o;
  const isProxy = createAddressCheck(o.trustedProxies ?? []);
  const hasProxies = (o.trustedProxies ?? []).length > 0;
  const isOfProxy = ({ socket }: IncomingMessage) => hasProxies && isProxy(socket.remoteAddress ?? "");
  const addressOf = createAddressOf(o.trustedProxies ?? [], o.forwardedHeader, warnOfUntrustedProxy(o.log));
  const queue = createFairQueue();
  const headers = securityHeaders(o.tls !== undefined);
  const headerList = Object.entries(headers).flat();
  const counts = o.metrics === undefined ? undefined : createRequestCounts(o.metrics);
  if (o.metrics !== undefined) addReadyGauge(o.metrics, health.readiness);
  const refuseEarly = createEarlyRefusal({ headers, log: o.log });
  const cors = createCors(o.corsOrigins ?? []);
  const logWhenDone = createAccessLog(o.log);

  /**
   * Identifies the caller, counts the request and checks the method's policy, in this order. Throws or rejects where
   * one of them refuses. It waits only for what is not known yet: a token that was not verified before, or a count that
   * Redis has.
   */
  function admit(
    exchange: Exchange,
    method: DescMethod,
    inFlight: InFlightRequest,
  ): AdmittedExchange | Promise<AdmittedExchange> {
    const caller = identifyCaller(exchange.request.headers.authorization, o.verifier);
    if (!(caller instanceof Promise)) return admitAs(caller, exchange, method, inFlight);
    return caller.then(
      (identified) => admitAs(identified, exchange, method, inFlight),
      async (error) => {
        await count(exchange, method, undefined);
        throw error;
      },
    );
  }

  function admitAs(
    caller: Caller,
    exchange: Exchange,
    method: DescMethod,
    inFlight: InFlightRequest,
  ): AdmittedExchange | Promise<AdmittedExchange> {
    exchange.record.caller = callerKind(caller);
    inFlight.identified(caller);
    const allow = () => {
      requireAccess(method, caller);
      return exchange.admit(caller);
    };
    const counted = count(exchange, method, caller);
    return counted === undefined ? allow() : counted.then(allow);
  }

  /** Answers a request of any path but those of health. Throws or rejects with the error that answers it. */
  function dispatch(exchange: Exchange, inFlight: InFlightRequest): Promise<void> | undefined {
    const { request, path } = exchange;
    if ((request.url?.length ?? 0) > urlCharsMax)
      throw new CallError(callErrors.INVALID_REQUEST, {
        message: `The URL is longer than ${urlCharsMax} characters.`,
        http: { status: 414 },
      });
    if (cors.answerPreflight(exchange)) {
      inFlight.answered();
      return undefined;
    }
    const method = methods.get(path);
    return method === undefined ? dispatchOther(exchange, inFlight) : callProcedure(exchange, method, inFlight);
  }

  function callProcedure(exchange: Exchange, method: DescMethod, inFlight: InFlightRequest): Promise<void> | undefined {
    exchange.record.route = exchange.path;
    const forwarded = (admitted: AdmittedExchange) => {
      requireRpc(exchange, method);
      const isWhole = isForwardedWhole(method, exchange.request.headers["content-type"]);
      return isWhole ? forwardUnary(admitted, method, inFlight) : forward(admitted, method, o, inFlight);
    };
    const admitted = admit(exchange, method, inFlight);
    return admitted instanceof Promise ? admitted.then(forwarded) : forwarded(admitted);
  }

  /** The same for a path that no published method has. */
  function dispatchOther(exchange: Exchange, inFlight: InFlightRequest): Promise<void> | undefined {
    const { request, path, record } = exchange;
    if (pages.has(path) || isProcedurePath(path) || isGrpc(exchange)) return answerOther(exchange, inFlight);
    const match = table.match(request.method === "HEAD" ? "GET" : (request.method ?? ""), path);
    if (match.kind !== "found") return countAndThrow(exchange, unrouted(match));
    const { route, values } = match;
    record.route = route.template;
    const answer = (admitted: AdmittedExchange) => answerRest(admitted, route, values, callService, inFlight);
    const admitted = admit(exchange, route.method, inFlight);
    return admitted instanceof Promise ? admitted.then(answer) : answer(admitted);
  }

  /** Answers a request for a page, or for a procedure that is none of the published ones. */
  async function answerOther(exchange: Exchange, inFlight: InFlightRequest): Promise<void> {
    const { path } = exchange;
    if (pages.has(path)) {
      await count(exchange, undefined, undefined);
      pages.answer(exchange);
      return inFlight.answered();
    }
    if (isProcedurePath(path) && isStandardPath(path)) return answerStandard(exchange, inFlight);
    return countAndThrow(exchange, unknownMethod());
  }

  async function countAndThrow(exchange: Exchange, error: CallError): Promise<never> {
    await count(exchange, undefined, undefined);
    throw error;
  }

  function refuse(request: IncomingMessage, response: ServerResponse): void {
    counts?.shed.add();
    refuseEarly(request, response);
    limitWriteTime(response, writeTimeout);
  }

  /** Answers a request whose turn has come. Never rejects. */
  async function answerInTurn(
    request: IncomingMessage,
    response: ServerResponse,
    clientAddress: string,
  ): Promise<void> {
    const isHealth = isOfHealth(request.url);
    if (!isHealth && load.refuses(clientAddress)) return refuse(request, response);
    // Probes of health would be most of the traces.
    const isTraced = !isHealth && o.tracing !== undefined && !isOfTraces(request);
    const tracing = isTraced ? o.tracing : undefined;
    const isOfPage = o.showsTraces === true && isOfTracesPage(request);
    const traced = traceRequest(request, isOfPage ? undefined : tracing, isOfProxy(request));
    const circumstances = { clientAddress, writeTimeout, closing, headers: headerList, traced };
    const exchange = new Exchange(request, response, circumstances);
    logWhenDone(exchange, tracing);
    counts?.countWhenDone(exchange, performance.now());
    const { span } = exchange;
    const begun: { inFlight?: InFlightRequest } = {};
    const answer = () => {
      cors.setHeaders(exchange);
      const ofHealth = isHealth ? health.answer(exchange) : undefined;
      if (ofHealth !== undefined) return ofHealth;
      begun.inFlight = load.begin(exchange);
      return dispatch(exchange, begun.inFlight);
    };
    try {
      await (span === undefined ? answer() : span.run(answer));
    } catch (error) {
      begun.inFlight?.answered();
      if (error instanceof TooBusy) counts?.shed.add();
      answerError(exchange, error, o.log);
    }
    limitWriteTime(response, writeTimeout);
  }

  function onRequest(request: IncomingMessage, response: ServerResponse): void {
    const clientAddress = addressOf(request);
    const isQueued = !isOfHealth(request.url) && !isBackend(clientAddress);
    const queued = {
      isGone: () => response.destroyed,
      start: () => void answerInTurn(request, response, clientAddress),
    };
    const place = isQueued ? queue.enter(limitKeyOf(clientAddress), queued) : "now";
    if (place === "now") queued.start();
    else if (place === "full") refuse(request, response);
  }

  return { onRequest, answersWhole: createAnswersWhole(methods, table.routes) };
}

function warnOfUntrustedProxy(log: Logger): (address: string, header: ForwardedHeader) => void {
  return (address, header) =>
    log.warn(
      { address, header },
      "forwarded address ignored: the sender is not in RIALTO_TRUSTED_PROXIES; if it is a proxy, all its clients share one limit",
    );
}

function callerKind(caller: Caller): string {
  return caller.kind === "user" ? caller.role.toLowerCase() : caller.kind;
}
