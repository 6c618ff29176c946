import { createHealthPages, isFromHere, type Readiness, type Revocations, type TokenVerifier } from "@rialto/rpc";
import type { RateLimitState } from "@rialto/service";
import { auditApiName } from "../admin/audit-api.ts";
import { eventAdminApiName } from "../admin/event-admin-api.ts";
import { identifyCaller } from "../admission/policy.ts";
import { contractServices, isPublished, upstreamNameOf } from "../contract.ts";
import type { Exchange } from "../exchange/exchange.ts";
import type { Upstreams } from "../upstream/upstream.ts";
import { createReadiness } from "./readiness.ts";

/** What the gateway's health is made of, beside the services. */
export interface HealthSources {
  readonly revocations?: Pick<Revocations, "state"> | undefined;
  readonly rateLimits?: { state(): RateLimitState } | undefined;
  /** How long a gateway that starts waits for services that are not ready; a minute, where it is not given. */
  readonly startMsMax?: number;
}

/** How the gateway is. */
export interface Health {
  readonly readiness: Readiness;
  /** Answers the paths of health; undefined for any other. */
  answer(exchange: Exchange): Promise<void> | undefined;
}

/**
 * Watches the services behind, as far as calls show how they are, and tells of them and of where requests are counted.
 */
export function createHealth(
  upstreams: Pick<Upstreams, "upstream">,
  sources: HealthSources & { readonly verifier: TokenVerifier },
  stopping: AbortSignal,
): Health {
  const services = servicesBehind();
  const isAdmin = async (authorization: string | undefined) => {
    if (authorization === undefined) return false;
    const caller = await identifyCaller(authorization, sources.verifier).catch(() => undefined);
    return caller?.kind === "user" && caller.role === "ADMIN";
  };
  const readiness = createReadiness({ upstreams, services, stopping, startMsMax: sources.startMsMax });
  const answer = createHealthPages({
    readiness,
    services: () => services.map((service) => ({ service, replicas: upstreams.upstream(service).status() })),
    revocations: sources.revocations,
    others() {
      const rateLimits = sources.rateLimits?.state();
      return { told: rateLimits === undefined ? {} : { rateLimits }, isWell: rateLimits !== "local-fallback" };
    },
  });
  return {
    readiness,
    answer({ request, response, record, path }) {
      // How the replicas stand helps whoever wants to bring them down: it is for the operator and for admins.
      const seesDetail = async () => isFromHere(request) || (await isAdmin(request.headers.authorization));
      const told = answer(request, response, seesDetail);
      if (told !== undefined) record.route = path;
      return told;
    },
  };
}

/**
 * Those that serve what the contract publishes. What services keep of events is put together by the gateway itself,
 * which is no service behind.
 */
function servicesBehind(): readonly string[] {
  const published = contractServices.flatMap((service) => service.methods).filter(isPublished);
  return [...new Set(published.map(upstreamNameOf))].filter(
    (name) => name !== eventAdminApiName && name !== auditApiName,
  );
}
