import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { JsonLogsSerializer, JsonTraceSerializer } from "@opentelemetry/otlp-transformer";
import { InMemoryLogRecordExporter, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace";
import { describe, expect, it, onTestFinished } from "vitest";
import { createLogger } from "../src/index.ts";
import { keptLine } from "../src/trace-ring/kept-line.ts";
import { keptSpan } from "../src/trace-ring/kept-span.ts";
import type { KeptLine, KeptSpan } from "../src/trace-ring/kept-trace.ts";
import { createOtlpReceiver } from "../src/trace-ring/receive-otlp.ts";
import { exportLines } from "../src/tracing/export-lines.ts";
import { createTracing } from "../src/tracing/tracing.ts";

const facts = { instanceId: "another run", production: false, serviceName: undefined, attributes: {} };

async function receiver(own = "this run") {
  const spans: KeptSpan[] = [];
  const lines: KeptLine[] = [];
  const receive = createOtlpReceiver(
    { addSpan: (span) => void spans.push(span), addLine: (line) => void lines.push(line) },
    own,
  );
  const server = createServer((request, response) => {
    if (receive(request, response) === undefined) response.writeHead(404).end();
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo; // It listens on TCP.
  const send = async (path: string, body: string | Uint8Array<ArrayBuffer>, type = "application/json") =>
    (await fetch(`http://127.0.0.1:${port}${path}`, { method: "POST", headers: { "content-type": type }, body }))
      .status;
  return { spans, lines, send, url: `http://127.0.0.1:${port}` };
}

/** Spans and a line of another process: as it would keep them itself, and as it sends them. */
function otherProcess() {
  const exporter = new InMemorySpanExporter();
  const processors = [new SimpleSpanProcessor({ exporter })];
  const tracing = createTracing({ service: "payment", facts, ratio: 1, processors });
  const records = new InMemoryLogRecordExporter();
  const texts: string[] = [];
  const exported = exportLines("payment", facts, new SimpleLogRecordProcessor({ exporter: records }));
  const log = createLogger({
    ...{ service: "payment", isTraced: true },
    destination: { write: (text) => void texts.push(text) },
    takeLine: exported,
  });
  const span = tracing.begin("work", { kind: "server", traceparent: undefined, attributes: { "a.b": 1, c: true } });
  const other = tracing.begin("other", { traceparent: undefined });
  span?.run(() => log.warn({ orderId: "o-1", err: new Error("boom") }, "went wrong"));
  if (span !== undefined) other?.link(span);
  span?.child("below", { kind: "client" }).end();
  span?.fail("card_declined");
  span?.end();
  other?.end();
  const ended = exporter.getFinishedSpans();
  return {
    spans: ended.map(keptSpan),
    lines: texts.flatMap((text) => keptLine(text) ?? []),
    traces: bytes(JsonTraceSerializer.serializeRequest(ended)),
    logs: bytes(JsonLogsSerializer.serializeRequest(records.getFinishedLogRecords())),
  };
}

const bytes = (given: Uint8Array | undefined) => new Uint8Array(given ?? []);

describe("spans and lines that another process sends", () => {
  it("are kept as if they were of this process", async () => {
    const { spans, lines, send } = await receiver();
    const sent = otherProcess();
    expect([await send("/v1/traces", sent.traces), await send("/v1/logs", sent.logs)]).toEqual([200, 200]);
    expect(sent.spans.map(({ name, status }) => [name, status])).toEqual([
      ["below", "unset"],
      ["work", "error"],
      ["other", "unset"],
    ]);
    const sorted = (all: readonly KeptSpan[]) => all.toSorted((one, other) => (one.spanId < other.spanId ? -1 : 1));
    expect(sorted(spans)).toEqual(sorted(sent.spans));
    expect(lines).toEqual(sent.lines);
    expect(lines[0]?.fields).toMatchObject({ orderId: "o-1", "exception.message": "boom" });
  });

  it("are dropped where it is this process: it has them", async () => {
    const { spans, lines, send } = await receiver(facts.instanceId);
    const { traces, logs } = otherProcess();
    expect([await send("/v1/traces", traces), await send("/v1/logs", logs)]).toEqual([200, 200]);
    expect([spans, lines]).toEqual([[], []]);
  });

  it.each([
    ["is no JSON by its type", "/v1/traces", "{}", "application/x-protobuf", 415],
    ["a page of a browser could send without asking", "/v1/traces", "{}", "text/plain", 415],
    ["is no JSON", "/v1/logs", "{", "application/json", 400],
    ["is too long", "/v1/traces", " ".repeat(9 * 1024 * 1024), "application/json", 413],
    ["is of metrics, which are dropped", "/v1/metrics", "{}", "application/json", 200],
    ["is for somebody else", "/metrics", "{}", "application/json", 404],
  ])("are refused where the body %s", async (_, path, body, type, status) => {
    const { send } = await receiver();
    expect(await send(path, body, type).catch(() => 413)).toBe(status);
  });

  it.each([
    [null],
    [[]],
    [{ resourceSpans: [{ scopeSpans: [{ spans: [{ traceId: "1" }, null, { traceId: {}, spanId: [] }] }] }] }],
    [{ resourceSpans: {}, resourceLogs: [{ resource: 1, scopeLogs: [{ logRecords: [{ traceId: "x" }] }] }] }],
  ])("are left out where nothing could be shown of them: %j", async (body) => {
    const { spans, lines, send } = await receiver();
    expect(await send("/v1/traces", JSON.stringify(body))).toBe(200);
    expect([spans, lines]).toEqual([[], []]);
  });
});
