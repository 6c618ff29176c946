import { hash } from "node:crypto";
import type { IncomingMessage, ServerResponse } from "node:http";
import { isLoopbackHost } from "./loopback.ts";
import { readOtlp } from "./read-otlp.ts";
import type { TraceRing } from "./trace-ring.ts";

/** Answers a request; returns undefined for one that is for somebody else. */
export type AnswerHttp = (request: IncomingMessage, response: ServerResponse) => Promise<void> | undefined;

/** More than an export of 512 spans or lines has. */
const bodyBytesMax = 8 * 1024 * 1024;

/** Metrics are accepted, so that one endpoint does for all signals, and dropped: each process serves its own. */
const paths = new Set(["/v1/traces", "/v1/logs", "/v1/metrics"]);

/**
 * Bodies that are known again. An exporter that saw no answer sends the same bytes again within 25 s, and 5 processes
 * send 10 bodies a second at the most.
 */
const knownBodiesMax = 256;

/**
 * Creates what receives the spans and log lines of other processes by OTLP over HTTP, in JSON, and keeps them in the
 * ring. What the process whose run is `own` sends to itself is dropped, and so is a body that was received before: an
 * exporter sent it again. It asks for no token: it is for a port that only this machine reaches, in development. A page
 * in a browser cannot send to it. JSON needs a permission there that no answer of this port gives; and a page whose own
 * name leads to this machine, so that it needs none, has that name in `Host`, which has to be this machine's.
 */
export function createOtlpReceiver(ring: Pick<TraceRing, "addSpan" | "addLine">, own: string): AnswerHttp {
  const isKnown = createKnownTexts(knownBodiesMax);
  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const refuse = (status: number, message: string) => refuseWith(request, response, status, message);
    if (!isLoopbackHost(request.headers.host)) return refuse(403, "Send to localhost or an address of this machine.");
    if (request.method !== "POST") return refuse(405, "Send spans and log records by POST.");
    if (!isPlainJson(request)) return refuse(415, "Only JSON is read here: set OTEL_EXPORTER_OTLP_PROTOCOL=http/json.");
    const text = await readBody(request);
    if (text === undefined) return refuse(413, `A body may have ${bodyBytesMax} bytes.`);
    const body = parse(text);
    if (body === undefined) return refuse(400, "The body is not JSON.");
    const { spans, lines } = readOtlp(body, own);
    if (!isKnown(text)) {
      for (const span of spans) ring.addSpan(span);
      for (const line of lines) ring.addLine(line);
    }
    response.writeHead(200, { "content-type": "application/json" }).end("{}");
  }
  return (request, response) => {
    const [path = ""] = (request.url ?? "").split("?", 1);
    return paths.has(path) ? receive(request, response) : undefined;
  };
}

/** Returns what says whether it was asked about a text before, among the last ones. */
function createKnownTexts(max: number): (text: string) => boolean {
  const digests = new Set<string>();
  return (text) => {
    const digest = hash("sha256", text, "base64");
    if (digests.has(digest)) return true;
    digests.add(digest);
    const [oldest] = digests;
    if (digests.size > max && oldest !== undefined) digests.delete(oldest);
    return false;
  };
}

function isPlainJson({ headers }: IncomingMessage): boolean {
  const [type = ""] = (headers["content-type"] ?? "").split(";", 1);
  return type.trim().toLowerCase() === "application/json" && headers["content-encoding"] === undefined;
}

/** Returns undefined for a body that is too long: at once where the request says so. Rejects where it breaks off. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  if (Number(request.headers["content-length"]) > bodyBytesMax) return undefined;
  const chunks: Buffer[] = [];
  let bytes = 0;
  // To leave a loop over the request would destroy its connection, with the answer that is still to be written.
  return new Promise((resolve, reject) => {
    const take = (chunk: Buffer) => {
      bytes += chunk.length;
      chunks.push(chunk);
      if (bytes <= bodyBytesMax) return;
      chunks.length = 0;
      request.off("data", take);
      resolve(undefined);
    };
    request.on("data", take);
    request.once("end", () => resolve(Buffer.concat(chunks).toString()));
    request.once("error", reject);
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/**
 * Answers with an error and closes the connection: when the client has sent the rest, which is not kept, since a client
 * that still sends when its connection closes may not see the answer. The server's own bound ends one that goes on.
 */
function refuseWith(request: IncomingMessage, response: ServerResponse, status: number, message: string): void {
  // As google.rpc.Status, by the specification of OTLP.
  const body = JSON.stringify({ message });
  const headers = {
    "content-type": "application/json",
    "content-length": Buffer.byteLength(body),
    connection: "close",
  };
  response.writeHead(status, headers).write(body);
  if (request.readableEnded) return void response.end();
  request.once("end", () => response.end());
  request.resume();
}
