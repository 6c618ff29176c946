import type { IncomingMessage, ServerResponse } from "node:http";
import type { DescMethod } from "@bufbuild/protobuf";
import { createAddressCheck, limitKeyOf, limitWriteTime, plainAddress } from "@rialto/http";
import { CallError, type Caller, callErrors, isStandardPath, responseWriteTimeout } from "@rialto/rpc";
import type { Logger } from "@rialto/telemetry";
import { createAddressOf, type ForwardedHeader } from "./admission/client-address.ts";
import { createCors } from "./admission/cors.ts";
import { createEarlyRefusal, isOfHealth } from "./admission/early-refusal.ts";
import { createFairQueue } from "./admission/fair-queue.ts";
import type { InFlightRequest, LoadShedding } from "./admission/load-shedding.ts";
import { createAccessPolicies, identifyCaller, unknownMethod } from "./admission/policy.ts";
import { type CountRequest, createRequestLimits } from "./admission/request-limits.ts";
import { securityHeaders } from "./admission/security-headers.ts";
import { contractServices, procedureOf } from "./contract.ts";
import { logWhenDone } from "./exchange/access-log.ts";
import { type AdmittedExchange, Exchange } from "./exchange/exchange.ts";
import { traceRequest } from "./exchange/request-span.ts";
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
import { createServiceCalls } from "./upstream/unary-call.ts";

/** Longest URL that is accepted. The longest honest one holds field names and a page token. */
const urlCharsMax = 8 * 1024;

/**
 * Makes the handler of every request on the port. In this order: a place in the fair queue of addresses, refusal by
 * address (load shedding), security and CORS headers, health, then the kind of path: page, gRPC's own services,
 * procedure, REST route. A method is reached after the caller is identified, counted and allowed.
 */
export function createRequestHandler(
  o: GatewayOptions,
  load: LoadShedding,
  { stopping, closing }: { readonly stopping: AbortSignal; readonly closing: AbortSignal },
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const services = [...contractServices, ...(o.furtherServices ?? [])];
  const methods = publishedMethods(services);
  const requireAccess = createAccessPolicies(services);
  const table = compileRoutes(services);
  const pages = createPages(table.routes);
  const health = createHealth(o, o, stopping);
  const isBackend = createAddressCheck(o.backendAddresses ?? []);
  const count: CountRequest =
    o.requestLimits === undefined ? async () => undefined : createRequestLimits({ ...o.requestLimits, isBackend });
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
  const addressOf = createAddressOf(o.trustedProxies ?? [], o.forwardedHeader, warnOfUntrustedProxy(o.log));
  const queue = createFairQueue();
  const headers = securityHeaders(o.tls !== undefined);
  const refuseEarly = createEarlyRefusal({ headers, log: o.log });
  const cors = createCors(o.corsOrigins ?? []);

  /**
   * Identifies the caller, counts the request and checks the method's policy, in this order. Throws where one of them
   * refuses.
   */
  async function admit(exchange: Exchange, method: DescMethod, inFlight: InFlightRequest): Promise<AdmittedExchange> {
    const caller = await identifyCaller(exchange.request.headers.authorization, o.verifier).catch(async (error) => {
      await count(exchange, method, undefined);
      throw error;
    });
    exchange.record.caller = callerKind(caller);
    inFlight.identified(caller);
    await count(exchange, method, caller);
    requireAccess(method, caller);
    return exchange.admit(caller);
  }

  async function answer(exchange: Exchange): Promise<void> {
    cors.setHeaders(exchange);
    const answered = health.answer(exchange);
    if (answered !== undefined) return answered;
    const inFlight = load.begin(exchange);
    await dispatch(exchange, inFlight).catch((error) => {
      inFlight.answered();
      throw error;
    });
  }

  async function dispatch(exchange: Exchange, inFlight: InFlightRequest): Promise<void> {
    const { request, path, record } = exchange;
    if ((request.url?.length ?? 0) > urlCharsMax)
      throw new CallError(callErrors.INVALID_REQUEST, {
        message: `The URL is longer than ${urlCharsMax} characters.`,
        http: { status: 414 },
      });
    if (cors.answerPreflight(exchange)) return inFlight.answered();
    if (pages.has(path)) {
      await count(exchange, undefined, undefined);
      pages.answer(exchange);
      return inFlight.answered();
    }
    if (isProcedurePath(path) && isStandardPath(path)) return answerStandard(exchange, inFlight);
    if (isProcedurePath(path)) {
      const method = methods.get(path);
      if (method === undefined) {
        await count(exchange, undefined, undefined);
        throw unknownMethod();
      }
      record.route = procedureOf(method);
      const admitted = await admit(exchange, method, inFlight);
      requireRpc(exchange, method);
      const isWhole = isForwardedWhole(method, request.headers["content-type"]);
      return isWhole ? forwardUnary(admitted, method, inFlight) : forward(admitted, method, o, inFlight);
    }
    if (isGrpc(exchange)) {
      await count(exchange, undefined, undefined);
      throw unknownMethod();
    }
    const match = table.match(request.method === "HEAD" ? "GET" : (request.method ?? ""), path);
    if (match.kind === "found") {
      record.route = match.route.template;
      const admitted = await admit(exchange, match.route.method, inFlight);
      return answerRest(admitted, match.route, match.values, callService, inFlight);
    }
    await count(exchange, undefined, undefined);
    throw unrouted(match);
  }

  return async (request, response) => {
    const clientAddress = addressOf(request);
    const isHealth = isOfHealth(request.url);
    const place =
      isHealth || isBackend(clientAddress)
        ? undefined
        : queue.enter(limitKeyOf(clientAddress), () => response.destroyed);
    if (place?.kind === "waiting" && !(await place.started)) return;
    if (place?.kind === "full" || (!isHealth && load.refuses(clientAddress))) {
      refuseEarly(request, response);
      limitWriteTime(response, writeTimeout);
      return;
    }
    // Probes of health would be most of the traces.
    const tracing = isHealth ? undefined : o.tracing;
    const traced = traceRequest(request, tracing, isProxy(plainAddress(request.socket.remoteAddress ?? "") ?? ""));
    const exchange = new Exchange(request, response, { clientAddress, writeTimeout, closing, headers, traced });
    logWhenDone(exchange, o.log, tracing);
    const { span } = exchange;
    try {
      await (span === undefined ? answer(exchange) : span.run(() => answer(exchange)));
    } catch (error) {
      answerError(exchange, error, o.log);
    }
    limitWriteTime(response, writeTimeout);
  };
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
