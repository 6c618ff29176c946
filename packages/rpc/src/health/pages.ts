import type { IncomingMessage, ServerResponse } from "node:http";
import { CallError } from "../errors/call-error.ts";
import { callErrors } from "../errors/call-errors.ts";
import type { Revocations } from "../identity/revocations.ts";
import { isReady, type Readiness, type ReadyState } from "../standard/readiness.ts";
import type { ReplicaStatus } from "../upstream/circuit-breaker.ts";
import { restErrorJson } from "../wire/rest-error.ts";

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

/**
 * Answers a path of health; undefined for any other. The answer that it promises never rejects. Who may see how each replica stands is asked for that page
 * alone: who calls from this machine, where nothing else is given.
 */
export type AnswerHealth = (
  request: IncomingMessage,
  response: ServerResponse,
  seesDetail?: () => Promise<boolean>,
) => Promise<void> | undefined;

/**
 * Answers the three paths of health, of the gateway and of each service alike. `/health`: the process lives. `/ready`: it takes work, and what
 * it waits for where it does not; what it calls may be down meanwhile. `/health/services`: how each service that it calls stands, each replica by
 * its number, and in which way it failed last; whether the list of ended sessions is fresh. No address, no version, no text of an error; and a
 * stranger is told the sum of it alone. They are read with GET or HEAD, and with nothing else.
 */
export function createHealthPages(o: HealthSources): AnswerHealth {
  const pages = new Map<string, (seesDetail: () => Promise<boolean>) => Promise<Page>>([
    ["/health", async () => ({ status: 200, body: { status: "ok" } })],
    ["/ready", async () => readyPage(await o.readiness())],
    [
      "/health/services",
      async (seesDetail) => {
        const body = standing(o);
        return { status: 200, body: (await seesDetail()) ? body : { status: body.status } };
      },
    ],
  ]);
  return (request, response, seesDetail = async () => isFromHere(request)) => {
    const page = pages.get(request.url?.split("?", 1)[0] ?? "");
    if (page === undefined) return undefined;
    if (request.method !== "GET" && request.method !== "HEAD") return refuseMethod(response);
    return page(seesDetail).then(({ status, body }) => answer(request, response, status, body));
  };
}

/** True for a request that was made on this machine, and passed on by nobody: a proxy beside us makes all the world's requests look so. */
export function isFromHere({ socket, headers }: IncomingMessage): boolean {
  const address = socket.remoteAddress?.replace(/^::ffff:/i, "") ?? "";
  const isPassedOn = ["forwarded", "x-forwarded-for", "via"].some((name) => headers[name] !== undefined);
  return (address === "::1" || address.startsWith("127.")) && !isPassedOn;
}

/** How all that this process calls stands: the sum of it, and each part by its name. */
interface Standing {
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
  const told = { ...(isStopping ? { stopping: true } : {}), ...(waiting.length > 0 ? { waiting } : {}) };
  return { status: 503, body: { status: "not ready", ...told } };
}

function standing({ services, revocations, others }: HealthSources): Standing {
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
