import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A span as it arrived. Ids are in hex. */
export interface ReceivedSpan {
  readonly service: string;
  readonly name: string;
  readonly kind: "internal" | "server" | "client" | "producer" | "consumer";
  readonly traceId: string;
  readonly spanId: string;
  /** Undefined for the first span of a trace. */
  readonly parentSpanId: string | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly links: readonly { readonly traceId: string; readonly spanId: string }[];
  readonly isFailed: boolean;
}

/** A log record as it arrived. */
export interface ReceivedRecord {
  readonly service: string;
  readonly text: string;
  readonly severity: string;
  readonly traceId: string | undefined;
  readonly spanId: string | undefined;
  readonly attributes: Readonly<Record<string, unknown>>;
}

/** An OTLP receiver over HTTP, for tests. It reads JSON; of protobuf it keeps the bytes. */
export interface OtlpReceiver {
  /** For OTEL_EXPORTER_OTLP_ENDPOINT. */
  readonly url: string;
  readonly spans: readonly ReceivedSpan[];
  readonly records: readonly ReceivedRecord[];
  /** Every body as it arrived. */
  readonly bodies: readonly ReceivedBody[];
  /** How it answers from now on. */
  answer(how: Answer): void;
  close(): Promise<void>;
}

/** "hang" never answers. */
export type Answer = "ok" | "error" | "hang";

export interface ReceivedBody {
  readonly path: string;
  readonly contentType: string;
  readonly bytes: Buffer;
}

const kinds = ["internal", "internal", "server", "client", "producer", "consumer"] as const;
const errorStatus = 2;

/** Starts a receiver on a free port of this machine. It passes what it gets on to another, where that is given. */
export async function startOtlpReceiver(o: { readonly forwardTo?: string | undefined } = {}): Promise<OtlpReceiver> {
  const spans: ReceivedSpan[] = [];
  const records: ReceivedRecord[] = [];
  const bodies: ReceivedBody[] = [];
  let how: Answer = "ok";

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = {
      path: request.url ?? "",
      contentType: request.headers["content-type"] ?? "",
      bytes: Buffer.concat(chunks),
    };
    bodies.push(body);
    if (o.forwardTo !== undefined) {
      const { bytes, contentType } = body;
      const headers = { "content-type": contentType };
      await fetch(`${o.forwardTo}${body.path}`, { method: "POST", headers, body: new Uint8Array(bytes) });
    }
    if (how === "hang") return;
    if (how === "error") {
      response.writeHead(500).end();
      return;
    }
    if (body.contentType === "application/json") {
      const json: unknown = JSON.parse(body.bytes.toString());
      spans.push(...spansIn(json));
      records.push(...recordsOf(json));
    }
    response
      .writeHead(200, { "content-type": body.contentType })
      .end(body.contentType === "application/json" ? "{}" : "");
  }

  const server = createServer((request, response) => {
    receive(request, response).catch(() => response.destroy());
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  // It listens on TCP.
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    spans,
    records,
    bodies,
    answer(next) {
      how = next;
    },
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Reads the spans of an export, or of an answer of the same form. */
export function spansIn(json: unknown): ReceivedSpan[] {
  return listOf(json, "resourceSpans").flatMap((resource) =>
    listOf(resource, "scopeSpans")
      .flatMap((scope) => listOf(scope, "spans"))
      .map((span) => ({
        service: serviceOf(resource),
        name: textOf(span, "name") ?? "",
        kind: kinds[Number(fieldOf(span, "kind"))] ?? "internal",
        traceId: textOf(span, "traceId") ?? "",
        spanId: textOf(span, "spanId") ?? "",
        parentSpanId: textOf(span, "parentSpanId"),
        attributes: attributesOf(span),
        links: listOf(span, "links").map((link) => ({
          traceId: textOf(link, "traceId") ?? "",
          spanId: textOf(link, "spanId") ?? "",
        })),
        isFailed: fieldOf(fieldOf(span, "status"), "code") === errorStatus,
      })),
  );
}

function recordsOf(json: unknown): ReceivedRecord[] {
  return listOf(json, "resourceLogs").flatMap((resource) =>
    listOf(resource, "scopeLogs")
      .flatMap((scope) => listOf(scope, "logRecords"))
      .map((record) => ({
        service: serviceOf(resource),
        text: textOf(fieldOf(record, "body"), "stringValue") ?? "",
        severity: textOf(record, "severityText") ?? "",
        traceId: textOf(record, "traceId"),
        spanId: textOf(record, "spanId"),
        attributes: attributesOf(record),
      })),
  );
}

function serviceOf(resource: unknown): string {
  return String(attributesOf(fieldOf(resource, "resource"))["service.name"] ?? "");
}

function attributesOf(of: unknown): Record<string, unknown> {
  return Object.fromEntries(
    listOf(of, "attributes").map((attribute) => [
      textOf(attribute, "key") ?? "",
      Object.values(Object(fieldOf(attribute, "value")))[0],
    ]),
  );
}

function listOf(of: unknown, name: string): readonly unknown[] {
  const value = fieldOf(of, name);
  return Array.isArray(value) ? value : [];
}

function textOf(of: unknown, name: string): string | undefined {
  const value = fieldOf(of, name);
  return typeof value === "string" && value !== "" ? value : undefined;
}

function fieldOf(of: unknown, name: string): unknown {
  return typeof of === "object" && of !== null ? Reflect.get(of, name) : undefined;
}
