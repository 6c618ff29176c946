import { sleep } from "@rialto/async";
import { closeGraceMsMax, createAddressCheck, listenHttp } from "@rialto/http";
import { createUpstream, lastAnswerMs, renderClientErrors, upstreamStreamsMax } from "@rialto/rpc";
import { createAuditApi } from "./admin/audit-api.ts";
import { createEventAdminApi } from "./admin/event-admin-api.ts";
import { createTraceApi } from "./admin/trace-api.ts";
import { createLoadShedding } from "./admission/load-shedding.ts";
import { securityHeaders } from "./admission/security-headers.ts";
import { contractServices, upstreamNamesOf } from "./contract.ts";
import { logUnreadable } from "./exchange/access-log.ts";
import type { GatewayOptions } from "./options.ts";
import { createRequestHandler } from "./request-handler.ts";
import type { Upstreams } from "./upstream/upstream.ts";

/** A running gateway. */
export interface Gateway {
  readonly port: number;
  /**
   * Stops the gateway in this order: readiness turns to 503 and clients are asked to leave while requests are still
   * answered (`drainMs`), no new request is accepted, streams end, other requests get some time to end (`workMs`), and
   * what is left is answered UNAVAILABLE. Further calls return the same promise.
   */
  close(): Promise<void>;
}

const inFlightMaxDefault = 1_000;
const clientConnectionsMaxDefault = 500;

/** A gateway that closes without a drain: a test's. */
const stopTimesDefault = { drainMs: 0, workMs: closeGraceMsMax } as const;

/** Concurrent HTTP/2 streams on one client connection. */
const clientStreamsMax = 100;

/**
 * Starts the one public port: Connect, gRPC, gRPC-Web and REST, over HTTP/1.1 and HTTP/2. A request is identified,
 * admitted by its method's policy in the contract, and forwarded to the service of its method. Throws if two routes of
 * the contract clash or the port is in use.
 */
export async function startGateway(o: GatewayOptions): Promise<Gateway> {
  const stopping = new AbortController();
  const closing = new AbortController();
  const isBackend = createAddressCheck(o.backendAddresses ?? []);
  const load = createLoadShedding({
    inFlightMax: o.inFlightMax ?? inFlightMaxDefault,
    ...(o.callsPerServiceMax === undefined ? {} : { callsPerServiceMax: o.callsPerServiceMax }),
    streamsPerCallerMax: o.requestLimits?.requests === 0 ? Number.POSITIVE_INFINITY : undefined,
    streamsMaxOf: (service) => upstreamStreamsMax * (service === "grpc" ? 1 : o.upstream(service).status().length),
    isBackend,
    ...(o.bodyPace === undefined ? {} : { bodyPace: o.bodyPace }),
    ...(o.eventLoopDelayMs === undefined ? {} : { eventLoopDelayMs: o.eventLoopDelayMs }),
  });
  const upstreams = withAdminApis(o);
  addRateLimitGauge(o);
  const { onRequest, answersWhole } = createRequestHandler({ ...o, ...upstreams }, load, {
    stopping: stopping.signal,
    closing: closing.signal,
  });
  const isProxy = createAddressCheck(o.trustedProxies ?? []);
  const { port, host, tls } = o;
  const opened = await listenHttp({
    port,
    ...(host === undefined ? {} : { host }),
    tls,
    streamsMax: clientStreamsMax,
    connectionsMaxOf: (address) =>
      isProxy(address) || isBackend(address)
        ? Number.POSITIVE_INFINITY
        : (o.clientConnectionsMax ?? clientConnectionsMaxDefault),
    renderClientError: renderClientErrors({
      headers: securityHeaders(tls !== undefined),
      onRendered: logUnreadable(o.log),
    }),
    onRequest,
    answersWhole,
  });
  async function close(): Promise<void> {
    const { drainMs, workMs } = o.stopTimes ?? stopTimesDefault;
    stopping.abort();
    opened.drain();
    await sleep(drainMs);
    const graceMs = workMs - drainMs;
    const closed = opened.close({ graceMs: graceMs + lastAnswerMs });
    closing.abort();
    const timer = setTimeout(endCalls, graceMs);
    await closed;
    clearTimeout(timer);
    load.close();
  }
  function endCalls(): void {
    const services = [...contractServices, ...(o.furtherServices ?? [])];
    for (const name of upstreamNamesOf(services)) upstreams.upstream(name).endCalls();
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

/** Adds the gauge of where requests are counted, for limits that all gateways share. */
function addRateLimitGauge({ metrics, rateLimits }: Pick<GatewayOptions, "metrics" | "rateLimits">): void {
  if (rateLimits === undefined) return;
  metrics?.gauge(
    {
      name: "rialto.rate.limits.local",
      unit: "1",
      description: "1 while Redis does not answer and this gateway counts requests by itself",
    },
    () => [{ labels: {}, value: +(rateLimits.state() === "local-fallback") }],
  );
}

/**
 * The services, with those that are served by the gateway itself: event administration and the audit log, merged over
 * all services, and the traces that it keeps.
 */
function withAdminApis(o: GatewayOptions): Pick<Upstreams, "upstream" | "target"> {
  const { adminBackends: backends, verifier, log, traces } = o;
  const endpoints = [
    createEventAdminApi({ backends, verifier, log }),
    createAuditApi({ backends, verifier, log }),
    createTraceApi({ traces, verifier, log }),
  ];
  const own = new Map(
    endpoints.map((endpoint) => {
      const target = { kind: "local", endpoint: () => endpoint } as const;
      return [endpoint.service, { target, upstream: createUpstream(target) }];
    }),
  );
  return {
    upstream: (service) => own.get(service)?.upstream ?? o.upstream(service),
    target: (service) => own.get(service)?.target ?? o.target(service),
  };
}
