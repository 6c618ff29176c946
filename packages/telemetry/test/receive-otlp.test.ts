import { once } from "node:events";
import { createServer, type IncomingMessage, request } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { JsonLogsSerializer, JsonTraceSerializer } from "@opentelemetry/otlp-transformer";
import { InMemoryLogRecordExporter, SimpleLogRecordProcessor } from "@opentelemetry/sdk-logs";
import { InMemorySpanExporter, SimpleSpanProcessor } from "@opentelemetry/sdk-trace";
import { describe, expect, it, onTestFinished } from "vitest";
import { createLogger } from "../src/index.ts";
import { keptLine } from "../src/trace-ring/kept-line.ts";
import { keptSpan } from "../src/trace-ring/kept-span.ts";
import type { KeptLine, KeptSpan } from "../src/trace-ring/kept-trace.ts";
import { readOtlp } from "../src/trace-ring/read-otlp.ts";
import { createOtlpReceiver } from "../src/trace-ring/receive-otlp.ts";
import { exportLines } from "../src/tracing/export-lines.ts";
import { createTracing } from "../src/tracing/tracing.ts";
import { heapBytes } from "./heap-bytes.ts";

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
  const start = () => ({ kind: "server", attributes: { "a.b": 1, c: true } }) as const;
  const span = tracing.begin("work", { traceparent: undefined, start });
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

const partBytes = 1024 * 1024;
const textChars = 1024 * 1024;

/** Sends headers as they are, and a body that may be shorter than they say. */
async function statusOf(
  url: string,
  headers: Readonly<Record<string, string>>,
  body = "",
): Promise<number | undefined> {
  const sent = request(`${url}/v1/traces`, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
  });
  onTestFinished(() => void sent.on("error", () => undefined).destroy());
  sent.flushHeaders();
  if (body !== "") sent.end(body);
  // Its one argument.
  const [{ statusCode }] = (await once(sent, "response")) as [IncomingMessage];
  return statusCode;
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
    expect(await send(path, body, type)).toBe(status);
  });

  it("are refused where the body turns out to be too long, and a client that reads later sees why", async () => {
    const { url } = await receiver();
    const socket = connect(Number(new URL(url).port), "127.0.0.1").pause();
    const type = "content-type: application/json";
    const part = " ".repeat(partBytes);
    const send = async (text: string) => socket.write(text) || (await once(socket, "drain"));
    await send(`POST /v1/traces HTTP/1.1\r\nhost: localhost\r\n${type}\r\ntransfer-encoding: chunked\r\n\r\n`);
    for (let n = 0; n < 18; n += 1) await send(`${partBytes.toString(16)}\r\n${part}\r\n`);
    await send("0\r\n\r\n");
    const answer: Buffer[] = [];
    for await (const chunk of socket) answer.push(chunk);
    expect(Buffer.concat(answer).toString()).toMatch(/^HTTP\/1\.1 413 /);
  });

  it("are refused before they come where their length is said to be too much", async () => {
    const { url } = await receiver();
    expect(await statusOf(url, { "content-length": `${9 * 1024 * 1024}` })).toBe(413);
  });

  it.each([
    ["localhost", 400],
    ["127.0.0.2:9464", 400],
    ["[::1]:9464", 400],
    ["LOCALHOST:9464", 400],
    ["evil.example", 403],
    ["evil.example:9464", 403],
    ["127.0.0.1.evil.example", 403],
    ["localhost.evil.example:9464", 403],
    ["192.168.0.7", 403],
    ["[::ffff:192.168.0.7]", 403],
  ])(
    "are refused unless their host is this machine, so that no page reaches it by a name of its own: %j",
    async (host, status) => {
      const { url } = await receiver();
      expect(await statusOf(url, { host, "content-length": "1" }, "{")).toBe(status);
    },
  );

  it("are kept once where their exporter sends them again", async () => {
    const { spans, lines, send } = await receiver();
    const { traces, logs } = otherProcess();
    const kept = [];
    for (let sending = 0; sending < 2; sending += 1) {
      expect([await send("/v1/traces", traces), await send("/v1/logs", logs)]).toEqual([200, 200]);
      kept.push([spans.length, lines.length]);
    }
    expect(kept[1]).toEqual(kept[0]);
  });

  it("hold nothing of longer texts in memory than what is kept of them", () => {
    const long = "x".repeat(textChars);
    const [traceId, spanId] = ["1".repeat(32), "2".repeat(16)];
    const value = { stringValue: long };
    const attributes = [{ key: "text", value }];
    const resource = { attributes: [{ key: "service.name", value }] };
    const of = { traceId, spanId };
    const span = {
      ...{ ...of, name: long, startTimeUnixNano: "1", endTimeUnixNano: "2", attributes },
      status: { message: long },
    };
    const record = { ...of, timeUnixNano: "1", severityText: long, body: value, attributes };
    const body = JSON.stringify({
      resourceSpans: [{ resource, scopeSpans: [{ spans: [span] }] }],
      resourceLogs: [{ resource, scopeLogs: [{ logRecords: [record] }] }],
    });
    const text = JSON.stringify({ ...of, level: long, msg: long, service: long, text: long, err: { stack: long } });
    const kept: unknown[] = [];
    const before = heapBytes();
    for (let time = 0; time < 8; time += 1) kept.push(readOtlp(JSON.parse(body), "this run"), keptLine(text));
    const bytes = heapBytes() - before;
    expect(kept).toHaveLength(16);
    // Each of the 12 texts would hold 1 MiB, 8 times.
    expect(bytes).toBeLessThan(16 * textChars);
    expect(JSON.stringify(kept).length).toBeLessThan(2 * textChars);
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
