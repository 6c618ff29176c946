import type { IncomingMessage, ServerResponse } from "node:http";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import type { Revocations } from "../identity/revocations.ts";
import { isReady, type Readiness, type ReadyState } from "../standard/health.ts";
import type { ReplicaStatus } from "../upstream/circuit-breaker.ts";
import { restErrorJson } from "../wire/rest-error.ts";

/** The sources of the health of a process. */
export interface HealthSources {
  readonly readiness: Readiness;
  /** The status of each service that this process calls. */
  readonly services: () => readonly ServiceStatus[];
  /** The revocation list that tokens are checked against. */
  readonly revocations?: Pick<Revocations, "state"> | undefined;
  /** Other parts: a word about each, and whether all are healthy. */
  readonly others?: () => { readonly report: Readonly<Record<string, string>>; readonly isHealthy: boolean };
}

/** The replicas of a service, in the order of their addresses. */
export interface ServiceStatus {
  readonly service: string;
  readonly replicas: readonly ReplicaStatus[];
}

const paths = ["/health", "/health/services", "/ready"] as const;
type HealthPath = (typeof paths)[number];

/** Whether a request for this target asks for a page of health. */
export function isHealthPage(target: string): boolean {
  return healthPathOf(target) !== undefined;
}

/** Asked of every request of a gateway, so it makes no text, and looks at once whether there is any likeness. */
function healthPathOf(target: string): HealthPath | undefined {
  if (!target.startsWith("/health") && !target.startsWith("/ready")) return undefined;
  return paths.find(
    (path) => target.startsWith(path) && (target.length === path.length || target[path.length] === "?"),
  );
}

/**
 * Answers a path of health; returns undefined for every other path. The returned promise never rejects. `seesDetail`
 * decides who may see the status of each replica; callers on this machine, where it is not given.
 */
export type AnswerHealth = (
  request: IncomingMessage,
  response: ServerResponse,
  seesDetail?: () => Promise<boolean>,
) => Promise<void> | undefined;

/**
 * Creates the three pages of health, of the gateway and of each service. `/health`: the process is alive. `/ready`: it
 * accepts work, or what it waits for; the services that it calls may be down. `/health/services`: the status of each of
 * those services, with the last failure of each replica by its number, and whether the revocation list is fresh. No
 * address, no version, no text of an error; other callers see the sum only. They are read with GET or HEAD.
 */
export function createHealthPages(o: HealthSources): AnswerHealth {
  const pages: Readonly<Record<HealthPath, (seesDetail: () => Promise<boolean>) => Promise<Page>>> = {
    "/health": async () => ({ status: 200, body: { status: "ok" } }),
    "/ready": async () => readyPage(await o.readiness()),
    "/health/services": async (seesDetail) => {
      const body = healthReport(o);
      return { status: 200, body: (await seesDetail()) ? body : { status: body.status } };
    },
  };
  return (request, response, seesDetail = async () => isFromHere(request)) => {
    const path = healthPathOf(request.url ?? "");
    if (path === undefined) return undefined;
    if (request.method !== "GET" && request.method !== "HEAD") return refuseMethod(response);
    return pages[path](seesDetail).then(({ status, body }) => answer(request, response, status, body));
  };
}

/** Whether a request was made on this machine and not passed on by a proxy, which would make every request look so. */
export function isFromHere({ socket, headers }: IncomingMessage): boolean {
  const address = socket.remoteAddress?.replace(/^::ffff:/i, "") ?? "";
  const isPassedOn = ["forwarded", "x-forwarded-for", "via"].some((name) => headers[name] !== undefined);
  return (address === "::1" || address.startsWith("127.")) && !isPassedOn;
}

/** The sum, and each part by its name. */
interface HealthReport {
  readonly status: "ok" | "degraded";
  readonly [part: string]: unknown;
}

interface Page {
  readonly status: number;
  readonly body: object;
}

function readyPage(state: ReadyState): Page {
  if (isReady(state)) return { status: 200, body: { status: "ok" } };
  const { isStopping, waiting } = state;
  const reasons = { ...(isStopping ? { stopping: true } : {}), ...(waiting.length > 0 ? { waiting } : {}) };
  return { status: 503, body: { status: "not ready", ...reasons } };
}

function healthReport({ services, revocations, others }: HealthSources): HealthReport {
  const all = services();
  const sessions = revocations?.state();
  const more = others?.() ?? { report: {}, isHealthy: true };
  // One without replicas has a name for which no address was found yet.
  const isReachable = ({ replicas }: ServiceStatus) =>
    replicas.length > 0 && replicas.every(({ breaker }) => breaker === "closed");
  const areReachable = all.every(isReachable);
  // A stale list degrades health, not readiness: tokens of ended sessions stay valid until they expire.
  const isHealthy = areReachable && sessions?.isFresh !== false && more.isHealthy;
  return {
    status: isHealthy ? "ok" : "degraded",
    services: all.map(({ service, replicas }) => ({ service, replicas: replicas.map(replicaReport) })),
    ...(sessions === undefined
      ? {}
      : { endedSessions: { fresh: sessions.isFresh, ageSeconds: wholeSeconds(sessions.ageMs) } }),
    ...more.report,
  };
}

function replicaReport({ breaker, lastError }: ReplicaStatus, index: number) {
  return {
    replica: index + 1,
    breaker,
    lastError: lastError === undefined ? null : { class: lastError.class, time: lastError.time.toISOString() },
  };
}

function wholeSeconds(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.round(ms / 1000);
}

async function refuseMethod(response: ServerResponse): Promise<void> {
  const allow = "GET, HEAD";
  const json = JSON.stringify(
    restErrorJson(new CallError(callErrors.METHOD_UNKNOWN, { message: `This path takes ${allow}.` })),
  );
  response.writeHead(405, { allow, "content-type": "application/json", "content-length": Buffer.byteLength(json) });
  response.end(json);
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
