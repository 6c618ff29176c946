import {
  createHealthPages,
  isFromHere,
  isHealthPage,
  type Readiness,
  type Revocations,
  type TokenVerifier,
} from "@rialto/rpc";
import type { RateLimitState } from "@rialto/service";
import { auditApiName } from "../admin/audit-api.ts";
import { eventAdminApiName } from "../admin/event-admin-api.ts";
import { traceApiName } from "../admin/trace-api.ts";
import { identifyCaller } from "../admission/policy.ts";
import { contractServices, upstreamNamesOf } from "../contract.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { Upstreams } from "../upstream/upstream.ts";
import { createReadiness } from "./readiness.ts";

/** What the gateway's health depends on, beside the services. */
export interface HealthSources {
  readonly revocations?: Pick<Revocations, "state"> | undefined;
  readonly rateLimits?: { state(): RateLimitState } | undefined;
  /** The queue of the services that run in this process. */
  readonly jobs?: { isReachable(): boolean } | undefined;
  /** How long a starting gateway waits for services that are not ready. One minute if left out. */
  readonly startMsMax?: number;
}

/** The health of the gateway. */
export interface Health {
  readonly readiness: Readiness;
  /** Answers the health pages. Returns undefined for any other path. */
  answer(exchange: Exchange): Promise<void> | undefined;
}

/**
 * Watches the services, as far as calls show their state, and reports on them, on revocations, on rate limits, and on
 * the queue of services in this process.
 */
export function createHealth(
  upstreams: Pick<Upstreams, "upstream">,
  sources: HealthSources & { readonly verifier: TokenVerifier },
  stopping: AbortSignal,
): Health {
  const services = upstreamServices();
  const isAdmin = async (authorization: string | undefined) => {
    if (authorization === undefined) return false;
    try {
      const caller = await identifyCaller(authorization, sources.verifier);
      return caller.kind === "user" && caller.role === "ADMIN";
    } catch {
      return false;
    }
  };
  const readiness = createReadiness({ upstreams, services, stopping, startMsMax: sources.startMsMax });
  const answer = createHealthPages({
    readiness,
    services: () => services.map((service) => ({ service, replicas: upstreams.upstream(service).status() })),
    revocations: sources.revocations,
    others() {
      const rateLimits = sources.rateLimits?.state();
      const areJobsReachable = sources.jobs?.isReachable();
      return {
        report: {
          ...(rateLimits === undefined ? {} : { rateLimits }),
          ...(areJobsReachable === undefined ? {} : { jobs: areJobsReachable ? "ok" : "unreachable" }),
        },
        isHealthy: rateLimits !== "local-fallback" && areJobsReachable !== false,
      };
    },
  });
  return {
    readiness,
    answer(exchange) {
      const { request, record, path } = exchange;
      if (!isHealthPage(path)) return undefined;
      record.route = path;
      // The status of replicas would help an attacker: only requests from this machine and admins see it.
      const seesDetail = async () => isFromHere(request) || (await isAdmin(request.headers.authorization));
      return answer(request, exchange.response, seesDetail);
    },
  };
}

/** Returns the services that the contract publishes, without those that the gateway serves itself. */
function upstreamServices(): readonly string[] {
  const own = new Set([eventAdminApiName, auditApiName, traceApiName]);
  return upstreamNamesOf(contractServices).filter((name) => !own.has(name));
}
