import { readdirSync, readFileSync } from "node:fs";
import { Agent, request as httpRequest } from "node:http";
import { connect } from "node:http2";
import { type DescMethod, type DescService, getOption } from "@bufbuild/protobuf";
import * as contracts from "@rialto/contracts";
import {
  type RefusalRead,
  readRefusal,
  type WireAnswer,
  type WireRequest,
  wireRequests,
} from "@rialto/testing/requests";
import { openRestClient } from "../rest-client.ts";
import type { Topology } from "../topology.ts";

/** The cost of one request. */
export interface WalkRow {
  readonly method: string;
  readonly way: string;
  readonly name: string;
  readonly status: number;
  readonly refusal: RefusalRead | undefined;
  /** CPU time of all processes except the database, in milliseconds: the median of the runs. */
  readonly cpuMs: number;
  /** That part of it in which V8's own threads collected garbage, of earlier requests as well, or compiled code. */
  readonly v8Ms: number;
  /** The size of the request body as sent, in bytes. */
  readonly sentBytes: number;
}

/** A request to be measured again. */
interface Candidate {
  readonly request: WireRequest;
  readonly row: Answered;
  /** Of the run that chose it. It does not count: among thousands, those are chosen that a collection fell into. */
  readonly first: Cost;
  readonly costs: Cost[];
}

type Cost = Pick<WalkRow, "cpuMs" | "v8Ms">;
type Answered = Omit<WalkRow, keyof Cost>;

/** The number of most expensive requests that are measured again. */
const candidatesMax = 200;

/**
 * Sends every hostile request to every public method, one after the other, with the required role, and passes each
 * response to `onRow`. The most expensive ones are then measured, `runs` times each. Resolves with them, sorted by
 * their median cost. With `every`, sends only every n-th request. CPU time is available on Linux only.
 */
export async function walk(
  topology: Pick<Topology, "url" | "pids">,
  o: { readonly runs: number; readonly every: number; onRow(row: Answered): void },
): Promise<readonly WalkRow[]> {
  const rest = await openRestClient(topology);
  const tokens = { CUSTOMER: (await rest.customer()).token, ADMIN: rest.adminToken };
  const client = openClient(topology.url);
  const measure = async (request: WireRequest) => {
    const before = costOf(topology.pids);
    const answer = await client.send(request);
    const after = costOf(topology.pids);
    return { answer, cost: { cpuMs: after.cpuMs - before.cpuMs, v8Ms: after.v8Ms - before.v8Ms } };
  };
  let candidates: Candidate[] = [];
  try {
    let count = 0;
    for (const method of publishedMethods()) {
      const { roles } = getOption(method, contracts.access);
      const role = roles.includes(contracts.Role.CUSTOMER) ? "CUSTOMER" : "ADMIN";
      // Methods that end a session or change a password need a session of their own.
      const endsSession = /^(Logout|LogoutAll|ChangePassword)$/.test(method.name);
      for (const request of wireRequests(method)) {
        count += 1;
        if (count % o.every !== 0) continue;
        const token = endsSession ? (await rest.customer()).token : tokens[role];
        const shown = roles.includes(contracts.Role.PUBLIC) ? {} : { authorization: `Bearer ${token}` };
        const asked = { ...request, headers: { ...request.headers, ...shown } };
        const { answer, cost } = await measure(asked);
        const row = {
          method: `${method.parent.name}.${method.name}`,
          way: request.way,
          name: request.name,
          status: answer.status,
          refusal: readRefusal(request.way, answer),
          sentBytes: request.body?.length ?? request.path.length,
        };
        o.onRow(row);
        candidates.push({ request: asked, row, first: cost, costs: [] });
        if (candidates.length > 2 * candidatesMax) candidates = costliest(candidates);
      }
    }
    candidates = costliest(candidates);
    // In rounds: what the process does beside (a collection of garbage, a sweep) would be in all runs of one request.
    for (let run = 0; run < o.runs; run += 1) {
      for (const { request, costs } of candidates) costs.push((await measure(request)).cost);
    }
  } finally {
    client.close();
  }
  return candidates
    .map(({ row, costs }) => ({ ...row, ...median(costs) }))
    .sort((one, other) => other.cpuMs - one.cpuMs);
}

function costliest(candidates: readonly Candidate[]): Candidate[] {
  return candidates.toSorted((one, other) => other.first.cpuMs - one.first.cpuMs).slice(0, candidatesMax);
}

function median(costs: readonly Cost[]): Cost {
  const sorted = costs.toSorted((one, other) => one.cpuMs - other.cpuMs);
  return sorted[Math.floor(sorted.length / 2)] ?? { cpuMs: 0, v8Ms: 0 };
}

/** Why the response is not allowed for a hostile request; undefined if it is. */
export function excess({ way, status, refusal }: Answered): string | undefined {
  const isGrpc = way === "gRPC" || way === "gRPC-Web";
  if (isGrpc ? ["2", "13", "14"].includes(refusal?.code ?? "") : status === 0 || status >= 500) return "a defect";
  if (refusal === undefined) return undefined;
  if (refusal.violations.length > 20) return `${refusal.violations.length} violations`;
  if (refusal.detailBytes > 3 * 1024) return `${refusal.detailBytes} bytes of details`;
  return refusal.bytes >= 8 * 1024 ? `${refusal.bytes} bytes` : undefined;
}

function publishedMethods(): readonly DescMethod[] {
  return Object.values<unknown>(contracts)
    .filter(
      (value): value is DescService =>
        typeof value === "object" && value !== null && "kind" in value && value.kind === "service",
    )
    .flatMap(({ methods }) => methods)
    .filter((method) => getOption(method, contracts.access).roles.length > 0);
}

/** One connection over HTTP/1.1 and one over HTTP/2, kept open, so that connecting is not measured. */
function openClient(url: string) {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const open = () => {
    const session = connect(url);
    session.on("error", () => undefined);
    return session;
  };
  let http2 = open();
  return {
    send: (request: WireRequest): Promise<WireAnswer> => {
      if (request.way !== "gRPC") return overHttp1(url, agent, request);
      if (http2.closed || http2.destroyed) http2 = open();
      return overHttp2(http2, request);
    },
    close() {
      agent.destroy();
      http2.destroy();
    },
  };
}

function overHttp1(url: string, agent: Agent, { httpMethod, path, headers, body }: WireRequest): Promise<WireAnswer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const length = body === undefined ? {} : { "content-length": `${body.length}` };
    const request = httpRequest(
      url + path,
      { method: httpMethod, agent, headers: { ...headers, ...length } },
      (response) => {
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", () => resolve({ status: 0, headers: [], body: new Uint8Array() }));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: pairsOf(response.headers),
            body: Buffer.concat(chunks),
          }),
        );
      },
    );
    // A server that refuses a body by its length closes the connection during the upload. Its response, sent before,
    // counts.
    request.on("error", () =>
      setTimeout(() => resolve({ status: chunks.length > 0 ? 200 : 413, headers: [], body: new Uint8Array() }), 50),
    );
    request.end(body);
  });
}

function overHttp2(
  http2: ReturnType<typeof connect>,
  { httpMethod, path, headers, body }: WireRequest,
): Promise<WireAnswer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    const seen: (readonly [string, string])[] = [];
    let status = 0;
    const stream = http2.request({ ":method": httpMethod, ":path": path, ...headers });
    stream.on("response", (head) => {
      status = Number(head[":status"]);
      seen.push(...pairsOf(head));
    });
    stream.on("trailers", (trailers) => seen.push(...pairsOf(trailers)));
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", () => undefined);
    stream.on("close", () => resolve({ status, headers: seen, body: Buffer.concat(chunks) }));
    stream.end(body);
  });
}

function pairsOf(headers: NodeJS.Dict<unknown>): [string, string][] {
  return Object.entries(headers).map(([name, value]) => [name, `${value}`]);
}

/** The CPU time of all threads of the processes. Reads synchronously, so that nothing else runs meanwhile. */
function costOf(pids: readonly number[]): Cost {
  const cost = { cpuMs: 0, v8Ms: 0 };
  for (const pid of pids) {
    for (const thread of readdirSync(`/proc/${pid}/task`)) {
      const { name, ms } = threadAt(`/proc/${pid}/task/${thread}`);
      cost.cpuMs += ms;
      if (name.startsWith("V8Worker")) cost.v8Ms += ms;
    }
  }
  return cost;
}

function threadAt(folder: string): { readonly name: string; readonly ms: number } {
  try {
    const [nanoseconds] = readFileSync(`${folder}/schedstat`, "utf8").split(" ", 1);
    return { name: readFileSync(`${folder}/comm`, "utf8"), ms: Number(nanoseconds) / 1e6 };
  } catch {
    // The thread has ended meanwhile.
    return { name: "", ms: 0 };
  }
}
