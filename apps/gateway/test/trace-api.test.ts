import { randomUUID } from "node:crypto";
import { messageBytesMax } from "@rialto/rpc";
import { createLogger, openTelemetry, type RecordedSpan, runForAll, type Telemetry } from "@rialto/telemetry";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type StubSystem, startStubSystem } from "./stub-system.ts";

const config = {
  ...{ disabled: false, serviceName: undefined, resourceAttributes: {}, samplingRatio: 1 },
  ...{ traces: undefined, metrics: undefined, logs: undefined },
};

const open = (production: boolean) =>
  openTelemetry({ config, production, keepsTraces: true, onExportChange: () => undefined });

async function start(telemetry: Telemetry): Promise<StubSystem> {
  const log = createLogger({
    ...{ service: "gateway", destination: { write: () => undefined } },
    ...telemetry.loggingOf("gateway"),
  });
  return await startStubSystem(
    { getOrder: async ({ id }) => ({ order: { id } }) },
    { tracingOf: telemetry.tracingOf, gateway: { log, traces: telemetry.traces } },
  );
}

let telemetry: Telemetry;
let system: StubSystem;
let admin: string;
beforeAll(async () => {
  telemetry = await open(false);
  system = await start(telemetry);
  admin = await system.token("ADMIN");
});
afterAll(() => system.close());

// biome-ignore lint/suspicious/noExplicitAny: an answer has any shape; tests assert each field that they read
type Json = any;

async function get(path: string, token?: string, headers: Record<string, string> = {}, at = system) {
  const authorization = token === undefined ? {} : { authorization: `Bearer ${token}` };
  const response = await fetch(`${at.url}${path}`, { headers: { ...authorization, ...headers } });
  const text = await response.text();
  const body: Json = JSON.parse(text);
  return { status: response.status, body, bytes: Buffer.byteLength(text) };
}

/** Starts the span of work on an order, in a trace of its own. */
function workOn(orderId: string): RecordedSpan {
  const start = () => ({ attributes: { "rialto.order.id": orderId } });
  const span = telemetry.tracingOf("order")?.begin("process order.placed", { traceparent: undefined, start });
  if (span === undefined) throw new Error("nothing is recorded");
  return span;
}

describe("a request that the gateway answered in development", () => {
  it("is found by its id, as one tree of spans of all services with the log lines inside of them", async () => {
    const customer = await system.token("CUSTOMER");
    const requestId = "shop:17";
    const sent = await get(`/api/orders/${randomUUID()}`, customer, { "x-request-id": requestId });
    expect(sent.status).toBe(200);
    const { body: list } = await get(`/api/traces?requestId=${requestId}`, admin);
    expect(list.traces).toMatchObject([
      {
        ...{ rootName: "GET /api/orders/{id}", rootService: "gateway", spanCount: 2, failed: false },
        ...{ requestIds: [requestId], startTime: expect.stringMatching(/Z$/), duration: expect.stringMatching(/s$/) },
      },
    ]);
    const { body: trace } = await get(`/api/traces/${list.traces[0].traceId}`, admin);
    const [root, call] = trace.spans;
    expect([root, call]).toMatchObject([
      { kind: "SERVER", parentSpanId: "", logLines: [{ level: "info", message: "request" }] },
      { name: "rialto.order.v1.OrderService/GetOrder", service: "order", parentSpanId: root.spanId },
    ]);
    expect(root.attributes).toMatchObject({ "http.route": "/api/orders/{id}", "http.response.status_code": "200" });
    expect(root.logLines[0].fields).toMatchObject({ requestId, route: "/api/orders/{id}", status: "200" });
  });

  it("is no trace where it looks at traces, by whichever protocol", async () => {
    const before = telemetry.traces?.list().length;
    const authorization = `Bearer ${admin}`;
    const headers = { "content-type": "application/json", authorization };
    const path = "/rialto.trace.v1.TraceService/ListTraces";
    expect((await fetch(`${system.url}${path}`, { method: "POST", headers, body: "{}" })).status).toBe(200);
    for (const path of ["/api/traces", `/api/traces/${"0".repeat(32)}`, "/api/traces?orderId=no"])
      await get(path, admin);
    expect(telemetry.traces?.list().length).toBe(before);
  });
});

describe("an order", () => {
  it("has all traces that name it, newest first, and those that failed are marked", async () => {
    const orderId = randomUUID();
    const placed = workOn(orderId);
    placed.end();
    await new Promise((resolve) => setTimeout(resolve, 2));
    const shipped = workOn(orderId);
    shipped.fail("OUT_OF_STOCK");
    shipped.end();
    workOn(randomUUID()).end();
    const { body } = await get(`/api/traces?orderId=${orderId.toUpperCase()}`, admin);
    expect(body.traces).toMatchObject([
      { traceId: shipped.traceId, failed: true, orderIds: [orderId] },
      { traceId: placed.traceId, failed: false, orderIds: [orderId] },
    ]);
    expect((await get(`/api/traces?orderId=${orderId}&pageSize=1`, admin)).body.traces).toHaveLength(1);
    expect((await get(`/api/traces?orderId=${orderId}&requestId=other`, admin)).body.traces).toEqual([]);
  });

  it("of a batch of 50 has its own spans, and those of the job and of the batch's statement, which are linked", async () => {
    const tracing = telemetry.tracingOf("order");
    const orders = Array.from({ length: 50 }, () => randomUUID());
    const spans = orders.map(workOn);
    const job = tracing?.beginTrace("receive checkout", { kind: "consumer", links: spans });
    job?.child("acknowledge").end();
    // What a batch does is a child of its first item's span, and linked to the others.
    runForAll(spans, () => spans[0]?.linkedTo(spans.slice(1)).child("TRANSACTION").child("INSERT order_event").end());
    const transaction = spans[0]?.linkedTo(spans.slice(1)).child("UPDATE stock");
    transaction?.child("below it").end();
    for (const span of [transaction, job, ...spans]) span?.end();

    const { body: list } = await get(`/api/traces?orderId=${orders[36]}`, admin);
    expect(list.traces.map(({ traceId }: Json) => traceId)).toEqual([spans[36]?.traceId]);
    const { body: trace } = await get(`/api/traces/${list.traces[0].traceId}`, admin);
    expect(trace.spans.map(({ name }: Json) => name)).toEqual(["process order.placed"]);
    const linked = trace.linkedSpans.map(({ name, traceId }: Json) => [name, traceId]);
    const [ofFirst, ofJob] = [spans[0]?.traceId, job?.traceId];
    expect(linked.sort()).toEqual(
      [
        ["UPDATE stock", ofFirst],
        ["acknowledge", ofJob],
        ["below it", ofFirst],
        ["receive checkout", ofJob],
      ].sort(),
    );
  });
});

describe("a trace", () => {
  it("is bounded to what a response holds, and says what is left out", async () => {
    const tracing = telemetry.tracingOf("order");
    const root = tracing?.begin("large", { traceparent: undefined });
    for (let n = 0; n < 1_200; n += 1) {
      const texts = Array.from({ length: 8 }, (_, index) => [`text ${index}`, `"${n}"`.repeat(400)]);
      root?.child("part", { attributes: Object.fromEntries(texts) }).end();
    }
    const { status, body, bytes } = await get(`/api/traces/${root?.traceId}`, admin);
    expect([status, bytes < messageBytesMax, body.spans.length > 100]).toEqual([200, true, true]);
    expect(body.spans.length + body.droppedSpans).toBe(1_200);
    expect((await get("/api/traces?pageSize=1", admin)).body.traces[0]?.spanCount).toBe(1_200);
  });

  it("has all its spans where the lines of one are too many for a response, and says how many are left out", async () => {
    const root = telemetry.tracingOf("order")?.begin("root", { traceparent: undefined });
    const { traceId = "", spanId = "" } = root ?? {};
    root?.child("below").end();
    root?.end();
    const long = { traceId, timeMs: 0, level: "info", message: "long", service: "order" };
    const fields = { text: "x".repeat(16_000) };
    for (let n = 0; n < 300; n += 1) telemetry.traces?.addLine({ ...long, spanId, fields: { ...fields, n: `${n}` } });
    for (const id of [spanId, "f".repeat(16)])
      telemetry.traces?.addLine({ ...long, spanId: id, message: "short", fields: {} });
    const { status, body, bytes } = await get(`/api/traces/${traceId}`, admin);
    expect([status, bytes < messageBytesMax]).toEqual([200, true]);
    expect(body.spans.map(({ name }: Json) => name)).toEqual(["root", "below"]);
    const lines = body.spans[0].logLines.map(({ message }: Json) => message);
    expect([lines.length > 200, lines.at(-1)]).toEqual([true, "short"]);
    expect(body.logLines).toMatchObject([{ message: "short" }]);
    expect(lines.length + body.logLines.length + body.droppedLogLines).toBe(302);
  });

  it("counts the lines of the spans that are left out", async () => {
    const root = telemetry.tracingOf("order")?.begin("root", { traceparent: undefined });
    const { traceId = "" } = root ?? {};
    const texts = Object.fromEntries(Array.from({ length: 8 }, (_, index) => [`text ${index}`, "x".repeat(2_000)]));
    for (let n = 0; n < 400; n += 1) {
      const part = root?.child("part", { attributes: texts });
      const line = { traceId, spanId: part?.spanId, timeMs: 0, level: "info", service: "order", fields: {} };
      telemetry.traces?.addLine({ ...line, message: `of part ${n}` });
      part?.end();
    }
    const { body } = await get(`/api/traces/${traceId}`, admin);
    const lines = body.spans.flatMap(({ logLines = [] }: Json) => logLines);
    expect(body.droppedSpans).toBeGreaterThan(0);
    expect([body.spans.length + body.droppedSpans, lines.length + body.droppedLogLines]).toEqual([400, 400]);
  });

  it("that is not kept is not found, and an id that is none is refused", async () => {
    expect(await get(`/api/traces/${"1".repeat(32)}`, admin)).toMatchObject({
      status: 404,
      body: { details: [{ reason: "TRACE_NOT_FOUND" }] },
    });
    for (const path of ["traces/1", "traces?orderId=1", "traces?requestId=%20", "traces?pageSize=501"])
      expect((await get(`/api/${path}`, admin)).status, path).toBe(400);
  });

  it.each(["/api/traces", `/api/traces/${"1".repeat(32)}`])("is for admins alone: %s", async (path) => {
    expect((await get(path)).status).toBe(401);
    expect((await get(path, await system.token("CUSTOMER"))).status).toBe(403);
  });
});

describe("a gateway in production", () => {
  it("keeps no traces, receives none, and says so to an admin alone", async () => {
    const off = await open(true);
    expect([off.traces, off.receiveTraces, off.tracingOf("gateway")]).toEqual([undefined, undefined, undefined]);
    const production = await start(off);
    try {
      const token = await production.token("ADMIN");
      for (const path of ["/api/traces", `/api/traces/${"1".repeat(32)}`])
        expect(await get(path, token, {}, production)).toMatchObject({
          status: 400,
          body: { details: [{ reason: "TRACES_NOT_KEPT" }] },
        });
      const customer = await production.token("CUSTOMER");
      expect((await get("/api/traces", customer, {}, production)).status).toBe(403);
    } finally {
      await production.close();
    }
  });
});
