import type { DescService } from "@bufbuild/protobuf";
import type { BodyPace, TlsCredentials, WriteTimeout } from "@rialto/http";
import type { TokenVerifier } from "@rialto/rpc";
import { type RateLimits, type StopTimes, stopTimesOf } from "@rialto/service";
import type { Config } from "@rialto/service/config";
import type { Logger, Metrics, TraceRing, Tracing } from "@rialto/telemetry";
import type { AdminBackend } from "./admin/backends.ts";
import type { ForwardedHeader } from "./admission/client-address.ts";
import type { RequestLimitOptions } from "./admission/request-limits.ts";
import type { GatewayConfig } from "./config.ts";
import type { HealthSources } from "./health/health.ts";
import type { Upstreams } from "./upstream/upstream.ts";

/** What a gateway needs to run, and what can be set. A bound that is left out has its default. */
export interface GatewayOptions extends Upstreams, HealthSources {
  readonly port: number;
  readonly host?: string;
  /** Certificate and key. With them the port speaks TLS and negotiates HTTP/2 by ALPN; without them it is cleartext. */
  readonly tls?: TlsCredentials | undefined;
  /** The services whose subscriptions, dead letters and audit entries the gateway shows as one list. */
  readonly adminBackends: readonly AdminBackend[];
  /** Checks access tokens. */
  readonly verifier: TokenVerifier;
  readonly log: Logger;
  /** Makes the spans of its requests. Nothing is traced without it. */
  readonly tracing?: Tracing | undefined;
  /** The last traces, which TraceService shows. It has none without it. */
  readonly traces?: TraceRing | undefined;
  /** Counts its requests. Nothing is counted without it. */
  readonly metrics?: Metrics | undefined;
  /** Services beside those of the contract, whose methods have the same options and follow the same rules. */
  readonly furtherServices?: readonly DescService[];
  /** Serve gRPC reflection. */
  readonly reflection?: boolean;
  /** Serve the page at /traces. */
  readonly showsTraces?: boolean;
  /** How often one caller may call. Without it no request is counted. */
  readonly requestLimits?: RequestLimitOptions;
  /** Requests in flight, beyond which load is shed. */
  readonly inFlightMax?: number;
  /** Unary calls in flight to one service. More wait in a fair queue of client addresses. */
  readonly callsPerServiceMax?: number;
  /** Connections from one address. Trusted proxies and backend addresses have no such bound. */
  readonly clientConnectionsMax?: number;
  /** How long a response may wait for its client to read. */
  readonly writeTimeout?: WriteTimeout;
  /** The slowest pace at which a request body may arrive. */
  readonly bodyPace?: BodyPace;
  /** Event loop delay in milliseconds. Measured if left out. */
  readonly eventLoopDelayMs?: () => number;
  /** How long `close` goes on accepting after readiness has turned to 503, and when it ends the requests that run. */
  readonly stopTimes?: Pick<StopTimes, "drainMs" | "workMs">;
  /** Origins whose pages may call (CORS). None if left out. */
  readonly corsOrigins?: readonly string[];
  /** Addresses and CIDR blocks of proxies whose forwarded client address is trusted. */
  readonly trustedProxies?: readonly string[];
  /**
   * Addresses and CIDR blocks of callers that act for many people, such as a shop's own server. Limits count them by
   * account only.
   */
  readonly backendAddresses?: readonly string[];
  /** The header that the trusted proxies write. `x-forwarded-for` if left out. */
  readonly forwardedHeader?: ForwardedHeader;
}

/** Makes the gateway's options that come from the environment. */
export function gatewayOptions(
  config: GatewayConfig & Pick<Config, "host" | "drainSeconds" | "production">,
  rateLimits: RateLimits,
): Partial<GatewayOptions> {
  const {
    inFlightMax,
    clientConnectionsMax,
    corsOrigins,
    trustedProxies,
    backendAddresses,
    forwardedHeader,
    baggageNames,
  } = config;
  return {
    ...(config.host === undefined ? {} : { host: config.host }),
    rateLimits,
    showsTraces: !config.production,
    requestLimits: { store: rateLimits, requests: config.rateLimit, windowSeconds: config.rateLimitWindowSeconds },
    ...(inFlightMax === undefined ? {} : { inFlightMax }),
    ...(clientConnectionsMax === undefined ? {} : { clientConnectionsMax }),
    corsOrigins,
    trustedProxies,
    backendAddresses,
    forwardedHeader,
    stopTimes: stopTimesOf(config),
    baggageNames: new Set(baggageNames),
  };
}
