import type { IncomingMessage, ServerResponse } from "node:http";
import { readOtlp } from "./read-otlp.ts";
import type { TraceRing } from "./trace-ring.ts";

/** Answers a request; returns undefined for one that is for somebody else. */
export type AnswerHttp = (request: IncomingMessage, response: ServerResponse) => Promise<void> | undefined;

/** More than an export of 512 spans or lines has. */
const bodyBytesMax = 8 * 1024 * 1024;

/** Metrics are accepted, so that one endpoint does for all signals, and dropped: each process serves its own. */
const paths = new Set(["/v1/traces", "/v1/logs", "/v1/metrics"]);

/**
 * Creates what receives the spans and log lines of other processes by OTLP over HTTP, in JSON, and keeps them in the
 * ring. What the process whose run is `own` sends to itself is dropped. It asks for no token: it is for a port that
 * only this machine reaches, in development. A page in a browser cannot send to it, since JSON needs a permission there
 * that no answer of this port gives.
 */
export function createOtlpReceiver(ring: Pick<TraceRing, "addSpan" | "addLine">, own: string): AnswerHttp {
  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== "POST") return refuse(response, 405, "Send spans and log records by POST.");
    if (!isPlainJson(request))
      return refuse(response, 415, "Only JSON is read here: set OTEL_EXPORTER_OTLP_PROTOCOL=http/json.");
    const text = await readBody(request);
    if (text === undefined) return refuse(response, 413, `A body may have ${bodyBytesMax} bytes.`);
    const body = parse(text);
    if (body === undefined) return refuse(response, 400, "The body is not JSON.");
    const { spans, lines } = readOtlp(body, own);
    for (const span of spans) ring.addSpan(span);
    for (const line of lines) ring.addLine(line);
    response.writeHead(200, { "content-type": "application/json" }).end("{}");
  }
  return (request, response) => {
    const [path = ""] = (request.url ?? "").split("?", 1);
    return paths.has(path) ? receive(request, response) : undefined;
  };
}

function isPlainJson({ headers }: IncomingMessage): boolean {
  const [type = ""] = (headers["content-type"] ?? "").split(";", 1);
  return type.trim().toLowerCase() === "application/json" && headers["content-encoding"] === undefined;
}

/** Returns undefined for a body that is too long. */
async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    // No encoding is set on the request.
    const part = chunk as Buffer;
    bytes += part.length;
    if (bytes > bodyBytesMax) return undefined;
    chunks.push(part);
  }
  return Buffer.concat(chunks).toString();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function refuse(response: ServerResponse, status: number, message: string): void {
  const headers = { "content-type": "application/json", connection: "close" };
  // As google.rpc.Status, by the specification of OTLP.
  response.writeHead(status, headers).end(JSON.stringify({ message }));
}
