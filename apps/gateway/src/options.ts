import type { Config, RateLimits } from "@rialto/service";
import type { GatewayOptions } from "./gateway.ts";

/** What the environment says of the door itself. */
export function doorOptions(
  config: Pick<
    Config,
    | "host"
    | "rateLimit"
    | "rateLimitWindowSeconds"
    | "inFlightMax"
    | "clientConnectionsMax"
    | "corsOrigins"
    | "trustedProxies"
    | "backendAddresses"
    | "forwardedHeader"
    | "drainSeconds"
  >,
  rateLimits: RateLimits,
): Partial<GatewayOptions> {
  const { inFlightMax, clientConnectionsMax, corsOrigins, trustedProxies, backendAddresses, forwardedHeader } = config;
  return {
    ...(config.host === undefined ? {} : { host: config.host }),
    rateLimits,
    requestLimits: { store: rateLimits, requests: config.rateLimit, windowSeconds: config.rateLimitWindowSeconds },
    ...(inFlightMax === undefined ? {} : { inFlightMax }),
    ...(clientConnectionsMax === undefined ? {} : { clientConnectionsMax }),
    corsOrigins,
    trustedProxies,
    backendAddresses,
    forwardedHeader,
    drainMs: config.drainSeconds * 1_000,
  };
}
