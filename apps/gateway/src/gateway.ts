import type { IncomingMessage, ServerResponse } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import type { DescMethod } from "@bufbuild/protobuf";
import {
  answerTakingMax,
  type BodyPace,
  type Caller,
  callErrors,
  createAddressCheck,
  createByteUpstream,
  type Endpoint,
  isStandardPath,
  limitKeyOf,
  openPort,
  type PortTls,
  requestIdHeader,
  requestIdOf,
  requireTaken,
  type TakingTime,
  type TokenVerifier,
  upstreamStreamsMax,
} from "@rialto/rpc";
import { continueTrace, type Logger } from "@rialto/telemetry";
import { auditDoorName, createAuditDoor } from "./admin/audit-api.ts";
import type { Keeper } from "./admin/backends.ts";
import { createEventsDoor, eventsDoorName } from "./admin/event-admin-api.ts";
import { createBrowser, safetyHeaders } from "./admission/browser.ts";
import { type AddressOf, createAddressOf, type ForwardedHeader } from "./admission/client-address.ts";
import { createEarlyRefusal, isOfHealth } from "./admission/early-refusal.ts";
import { createFairTurns } from "./admission/fair-turns.ts";
import { createLoad, type Load, type Work } from "./admission/load.ts";
import { identifyCaller, requireAccess, unknownMethod } from "./admission/policy.ts";
import { type CountRequest, createRequestLimits, type RequestLimitOptions } from "./admission/request-limits.ts";
import { refused } from "./errors/refused.ts";
import { logUnreadable, logWhenDone } from "./exchange/access-log.ts";
import { contractServices, procedureOf } from "./exchange/contract.ts";
import type { AdmittedExchange, Exchange } from "./exchange/exchange.ts";
import { createHealth, type HealthSources } from "./health/health.ts";
import { createPages } from "./pages/pages.ts";
import { answerRest } from "./rest/rest.ts";
import { compileRoutes } from "./rest/routes.ts";
import { unrouted } from "./rest/unrouted.ts";
import { answerError } from "./rpc/answer-error.ts";
import { isGrpc, isProcedurePath, publishedMethods, requireRpc } from "./rpc/connect.ts";
import { forward } from "./rpc/forward.ts";
import { createStandard } from "./rpc/standard.ts";
import type { Behind } from "./upstream/upstream.ts";

export interface GatewayOptions extends Behind, HealthSources {
  readonly port: number;
  readonly host?: string;
  /** Speak TLS, and choose HTTP/2 by ALPN; cleartext where it is not given. */
  readonly tls?: PortTls | undefined;
  /** What the services keep of events and of audit entries, which the gateway shows as one. */
  readonly keepers: readonly Keeper[];
  /** Checks access tokens. */
  readonly verifier: TokenVerifier;
  readonly log: Logger;
  /** Tell gRPC clients what there is to call. */
  readonly reflection?: boolean;
  /** How often one caller may call; without it nobody is counted. */
  readonly requestLimits?: RequestLimitOptions;
  /** Requests at work at once, beyond which load is shed. */
  readonly inFlightMax?: number;
  /** Unary calls that one service has at once from this gateway; others wait in turns of their addresses. */
  readonly callsPerServiceMax?: number;
  /** Connections from one address, but for those of trusted proxies. */
  readonly clientConnectionsMax?: number;
  /** How long a client may take to take its answer. */
  readonly taking?: TakingTime;
  /** How fast a body has to arrive. */
  readonly bodyPace?: BodyPace;
  /** How late the event loop is; measured, where it is not given. */
  readonly eventLoopDelayMs?: () => number;
  /** How long a gateway that is told to close answers on, while its readiness already says that it stops. */
  readonly drainMs?: number;
  /** Origins whose pages may call: none, where it is not given. */
  readonly corsOrigins?: readonly string[];
  /** Addresses and CIDR blocks of the proxies whose word on the client's address is taken. */
  readonly trustedProxies?: readonly string[];
  /** Addresses and CIDR blocks of callers that act for many people, a shop's own server: they are counted by account only. */
  readonly backendAddresses?: readonly string[];
  /** The header that they write it into; `x-forwarded-for`, where it is not given. */
  readonly forwardedHeader?: ForwardedHeader;
}

/** A gateway that takes requests. */
export interface Gateway {
  readonly port: number;
  /** Is not ready from now on, answers on for as long as it drains, then takes no new request, ends the streams, lets what else is at work end for a while, then cuts what is left. */
  close(): Promise<void>;
}

/** A longer URL is refused. Names of fields and a page token are all that the longest honest one has. */
const urlCharsMax = 8 * 1024;
const inFlightMaxDefault = 1_000;
const clientConnectionsMaxDefault = 500;

/** Calls that one connection of a client may have at work at once. */
const clientStreamsMax = 100;

/**
 * Starts the one public door: Connect, gRPC, gRPC-Web and REST on one port, over HTTP/1.1 and HTTP/2. A request is identified, admitted by its method's policy in the
 * contract, and passed on to the service that serves it. Throws where the contract's routes clash or the port is taken.
 */
export async function startGateway(o: GatewayOptions): Promise<Gateway> {
  const stopping = new AbortController();
  const closing = new AbortController();
  const isBackend = createAddressCheck(o.backendAddresses ?? []);
  const load = createLoad({
    inFlightMax: o.inFlightMax ?? inFlightMaxDefault,
    ...(o.callsPerServiceMax === undefined ? {} : { callsPerServiceMax: o.callsPerServiceMax }),
    streamsPerCallerMax: o.requestLimits?.requests === 0 ? Number.POSITIVE_INFINITY : undefined,
    streamsMaxOf: (service) => upstreamStreamsMax * (service === "grpc" ? 1 : o.upstream(service).status().length),
    isBackend,
    ...(o.bodyPace === undefined ? {} : { bodyPace: o.bodyPace }),
    ...(o.eventLoopDelayMs === undefined ? {} : { eventLoopDelayMs: o.eventLoopDelayMs }),
  });
  const answer = createHandler({ ...o, upstream: withOwnDoors(o) }, load, {
    stopping: stopping.signal,
    closing: closing.signal,
  });
  const isProxy = createAddressCheck(o.trustedProxies ?? []);
  const { port, host, tls } = o;
  const opened = await openPort({
    port,
    ...(host === undefined ? {} : { host }),
    tls,
    streamsMax: clientStreamsMax,
    connectionsMaxOf: (address) =>
      isProxy(address) || isBackend(address)
        ? Number.POSITIVE_INFINITY
        : (o.clientConnectionsMax ?? clientConnectionsMaxDefault),
    unreadable: { headers: safetyHeaders(tls !== undefined), onAnswered: logUnreadable(o.log) },
    onRequest: (request, response) => void answer(request, response),
  });
  async function close(): Promise<void> {
    stopping.abort();
    if (o.drainMs !== undefined && o.drainMs > 0) {
      opened.drain();
      await sleep(o.drainMs);
    }
    const closed = opened.close();
    closing.abort();
    load.close();
    await closed;
  }
  let closed: Promise<void> | undefined;
  return {
    port: opened.port,
    close: () => {
      closed ??= close();
      return closed;
    },
  };
}

/** The ways to the services, and the two that end here: what they keep of events and of audit entries is put together by the gateway itself. */
function withOwnDoors(o: GatewayOptions): Behind["upstream"] {
  const doorTo = (endpoint: Endpoint) => createByteUpstream({ kind: "local", endpoint: () => endpoint });
  const doors = new Map([
    [eventsDoorName, doorTo(createEventsDoor(o))],
    [auditDoorName, doorTo(createAuditDoor(o))],
  ]);
  return (service) => doors.get(service) ?? o.upstream(service);
}

function createHandler(
  o: GatewayOptions,
  load: Load,
  { stopping, closing }: { readonly stopping: AbortSignal; readonly closing: AbortSignal },
): (request: IncomingMessage, response: ServerResponse) => Promise<void> {
  const methods = publishedMethods(contractServices);
  const table = compileRoutes(contractServices);
  const pages = createPages(table.routes);
  const health = createHealth(o, o, stopping);
  const isBackend = createAddressCheck(o.backendAddresses ?? []);
  const count: CountRequest =
    o.requestLimits === undefined ? async () => undefined : createRequestLimits({ ...o.requestLimits, isBackend });
  const standard = createStandard({
    services: contractServices,
    reflection: o.reflection ?? false,
    behind: o,
    readiness: health.readiness,
    closing,
    count,
  });
  const { taking = answerTakingMax } = o;
  const addressOf = createAddressOf(o.trustedProxies ?? [], o.forwardedHeader, warnOfProxy(o.log));
  const turns = createFairTurns();
  const refuseEarly = createEarlyRefusal({ headers: safetyHeaders(o.tls !== undefined), log: o.log });
  const browser = createBrowser({ corsOrigins: o.corsOrigins ?? [], isSecure: o.tls !== undefined });

  /** Lets a call of a method in: who calls, whether they may now, whether they may at all. */
  async function letIn(exchange: Exchange, method: DescMethod, work: Work): Promise<AdmittedExchange> {
    const caller = await identifyCaller(exchange.request.headers.authorization, o.verifier).catch(async (error) => {
      await count(exchange, method, undefined);
      throw error;
    });
    exchange.record.caller = callerKind(caller);
    work.identified(caller);
    await count(exchange, method, caller);
    requireAccess(method, caller);
    return { ...exchange, caller };
  }

  async function dispatch(exchange: Exchange): Promise<void> {
    browser.greet(exchange);
    const told = health.answer(exchange);
    if (told !== undefined) return told;
    const work = load.begin(exchange);
    await passOn(exchange, work).catch((error) => {
      work.answered();
      throw error;
    });
  }

  async function passOn(exchange: Exchange, work: Work): Promise<void> {
    const { request, path, record } = exchange;
    if ((request.url?.length ?? 0) > urlCharsMax)
      throw refused(callErrors.INVALID_REQUEST, {
        message: `The URL is longer than ${urlCharsMax} characters.`,
        httpStatus: 414,
      });
    if (browser.answerPreflight(exchange)) return work.answered();
    if (pages.has(path)) {
      await count(exchange, undefined, undefined);
      pages.answer(exchange);
      return work.answered();
    }
    if (isProcedurePath(path) && isStandardPath(path)) return standard(exchange, work);
    if (isProcedurePath(path)) {
      const method = methods.get(path);
      if (method === undefined) {
        await count(exchange, undefined, undefined);
        throw unknownMethod();
      }
      record.route = procedureOf(method);
      const admitted = await letIn(exchange, method, work);
      requireRpc(exchange, method);
      return forward(admitted, method, o, work);
    }
    if (isGrpc(exchange)) {
      await count(exchange, undefined, undefined);
      throw unknownMethod();
    }
    const match = table.match(request.method === "HEAD" ? "GET" : (request.method ?? ""), path);
    if (match.kind === "found") {
      record.route = match.route.template;
      const admitted = await letIn(exchange, match.route.method, work);
      return answerRest(admitted, match.route, match.values, o, work);
    }
    await count(exchange, undefined, undefined);
    throw unrouted(match);
  }

  return async (request, response) => {
    const clientAddress = addressOf(request);
    const turn =
      isOfHealth(request.url) || isBackend(clientAddress)
        ? undefined
        : turns.ask(limitKeyOf(clientAddress), () => response.destroyed);
    if (turn?.kind === "later" && !(await turn.began)) return;
    if (turn?.kind === "full" || (!isOfHealth(request.url) && load.refuses(clientAddress))) {
      refuseEarly(request, response);
      requireTaken(response, taking);
      return;
    }
    const exchange = begin(request, response, closing, addressOf, taking);
    logWhenDone(exchange, o.log, performance.now());
    try {
      await dispatch(exchange);
    } catch (error) {
      answerError(exchange, error, o.log);
    }
    requireTaken(response, taking);
  };
}

function warnOfProxy(log: Logger): (address: string, header: ForwardedHeader) => void {
  return (address, header) =>
    log.warn(
      { address, header },
      "a request with a forwarded address came from an address that is not in RIALTO_TRUSTED_PROXIES; if that is a proxy, all its clients are counted as one",
    );
}

function begin(
  request: IncomingMessage,
  response: ServerResponse,
  closing: AbortSignal,
  addressOf: AddressOf,
  taking: TakingTime,
): Exchange {
  const given = request.headers[requestIdHeader];
  const requestId = requestIdOf(new Headers(typeof given === "string" ? { [requestIdHeader]: given } : {}));
  response.setHeader(requestIdHeader, requestId);
  const gone = new AbortController();
  response.once("close", () => {
    if (!response.writableFinished) gone.abort();
  });
  const url = request.url ?? "/";
  const mark = url.indexOf("?");
  const traceparent = request.headers.traceparent;
  return {
    request,
    response,
    path: mark === -1 ? url : url.slice(0, mark),
    query: mark === -1 ? "" : url.slice(mark),
    requestId,
    clientAddress: addressOf(request),
    trace: continueTrace(typeof traceparent === "string" ? traceparent : undefined),
    taking,
    signal: gone.signal,
    closing,
    record: { route: undefined, code: undefined, caller: undefined },
  };
}

function callerKind(caller: Caller): string {
  return caller.kind === "user" ? caller.role.toLowerCase() : caller.kind;
}
