import type { ReplicaStatus, Revocations } from "@rialto/rpc";
import type { RateLimitState } from "@rialto/service";
import { contractServices, isPublished, upstreamNameOf } from "./contract.ts";
import type { Exchange } from "./exchange.ts";
import type { Behind } from "./upstream.ts";

/** What the gateway's health is made of, beside the services. */
export interface HealthSources {
  readonly revocations?: Pick<Revocations, "state"> | undefined;
  readonly rateLimits?: { state(): RateLimitState } | undefined;
}

/** Answers the three paths of health; false for any other. */
export type AnswerHealth = (exchange: Exchange) => boolean;

/**
 * `/health`: the process lives. `/ready`: it takes requests, and can reach at least one service; one service that is down is no reason to take
 * the door away. `/health/services`: each service, each replica by its number, how its breaker stands and in which way it failed last;
 * whether the list of ended sessions is fresh, and where requests are counted. No address, no version, no text of an error: anybody may ask.
 */
export function createHealthAnswers(
  behind: Pick<Behind, "upstream">,
  sources: HealthSources,
  closing: AbortSignal,
): AnswerHealth {
  const published = contractServices.flatMap((service) => service.methods).filter(isPublished);
  const names = [...new Set(published.map(upstreamNameOf))];
  const services = () => names.map((service) => ({ service, replicas: behind.upstream(service).status().map(toldOf) }));

  return (exchange) => {
    switch (exchange.path) {
      case "/health":
        answer(exchange, 200, { status: "ok" });
        return true;
      case "/ready": {
        const isReady = !closing.aborted && services().some(isUsable);
        answer(exchange, isReady ? 200 : 503, { status: isReady ? "ok" : "not ready" });
        return true;
      }
      case "/health/services": {
        const all = services();
        const revocations = sources.revocations?.state();
        const rateLimits = sources.rateLimits?.state();
        const isWell =
          all.every(({ replicas }) => replicas.every(({ breaker }) => breaker === "closed")) &&
          revocations?.isFresh !== false &&
          rateLimits !== "local-fallback";
        answer(exchange, 200, {
          status: isWell ? "ok" : "degraded",
          services: all,
          ...(revocations === undefined ? {} : { endedSessions: endedSessionsOf(revocations) }),
          ...(rateLimits === undefined ? {} : { rateLimits }),
        });
        return true;
      }
      default:
        return false;
    }
  };
}

function toldOf({ breaker, lastError }: ReplicaStatus, index: number) {
  return {
    replica: index + 1,
    breaker,
    lastError: lastError === undefined ? null : { class: lastError.class, time: lastError.time.toISOString() },
  };
}

function endedSessionsOf({ isFresh, ageMs }: ReturnType<Revocations["state"]>) {
  return { fresh: isFresh, ageSeconds: ageMs === undefined ? null : Math.round(ageMs / 1000) };
}

function isUsable({ replicas }: { readonly replicas: readonly { readonly breaker: string }[] }): boolean {
  return replicas.some(({ breaker }) => breaker !== "open");
}

function answer({ request, response, record, path }: Exchange, status: number, body: object): void {
  record.route = path;
  const json = JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(json),
    "cache-control": "no-store",
  });
  response.end(request.method === "HEAD" ? undefined : json);
}
