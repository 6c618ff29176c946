import type { IncomingMessage, ServerResponse } from "node:http";
import type { ReplicaStatus } from "./guarded-replica.ts";
import { isReady, type Readiness, type ReadyState } from "./readiness.ts";
import type { Revocations } from "./revocations.ts";

/** What the health of a process is made of. */
export interface HealthSources {
  readonly readiness: Readiness;
  /** How the replicas of each service that this process calls stand. */
  readonly services: () => readonly ServiceStanding[];
  /** The list of ended sessions that tokens are checked by. */
  readonly revocations?: Pick<Revocations, "state"> | undefined;
  /** What else is to be told, and whether all is well with it. */
  readonly others?: () => { readonly told: Readonly<Record<string, string>>; readonly isWell: boolean };
}

/** The replicas of a service, in the order of their addresses. */
export interface ServiceStanding {
  readonly service: string;
  readonly replicas: readonly ReplicaStatus[];
}

/** Answers a path of health; undefined for any other. The answer that it promises never rejects. */
export type AnswerHealth = (request: IncomingMessage, response: ServerResponse) => Promise<void> | undefined;

/**
 * Answers the three paths of health, of the gateway and of each service alike. `/health`: the process lives. `/ready`: it takes work, and what
 * it waits for where it does not; what it calls may be down meanwhile. `/health/services`: how each service that it calls stands, each replica by
 * its number, and in which way it failed last; whether the list of ended sessions is fresh. No address, no version, no text of an error:
 * anybody may ask.
 */
export function createHealthPages(o: HealthSources): AnswerHealth {
  return (request, response) => {
    switch (request.url?.split("?", 1)[0]) {
      case "/health":
        return answer(request, response, 200, { status: "ok" });
      case "/ready":
        return o.readiness().then((state) => answer(request, response, isReady(state) ? 200 : 503, readiness(state)));
      case "/health/services":
        return answer(request, response, 200, standing(o));
      default:
        return undefined;
    }
  };
}

function readiness(state: ReadyState): object {
  if (isReady(state)) return { status: "ok" };
  const { isStopping, waiting } = state;
  return { status: "not ready", ...(isStopping ? { stopping: true } : {}), ...(waiting.length > 0 ? { waiting } : {}) };
}

function standing({ services, revocations, others }: HealthSources): object {
  const all = services();
  const sessions = revocations?.state();
  const more = others?.() ?? { told: {}, isWell: true };
  const areReached = all.every(({ replicas }) => replicas.every(({ breaker }) => breaker === "closed"));
  // Tokens of ended sessions live out their minutes: no reason to take no work, but one to look.
  const isWell = areReached && sessions?.isFresh !== false && more.isWell;
  return {
    status: isWell ? "ok" : "degraded",
    services: all.map(({ service, replicas }) => ({ service, replicas: replicas.map(toldOf) })),
    ...(sessions === undefined
      ? {}
      : { endedSessions: { fresh: sessions.isFresh, ageSeconds: wholeSeconds(sessions.ageMs) } }),
    ...more.told,
  };
}

function toldOf({ breaker, lastError }: ReplicaStatus, index: number) {
  return {
    replica: index + 1,
    breaker,
    lastError: lastError === undefined ? null : { class: lastError.class, time: lastError.time.toISOString() },
  };
}

function wholeSeconds(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms / 1000);
}

async function answer(request: IncomingMessage, response: ServerResponse, status: number, body: object): Promise<void> {
  const json = JSON.stringify(body);
  response.writeHead(status, {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(json),
    "cache-control": "no-store",
  });
  response.end(request.method === "HEAD" ? undefined : json);
}
