import { once } from "node:events";
import { createServer } from "node:http";
import { afterEach, describe, expect, it } from "vitest";
import { cachedFor, createMetricRegistry, type OpenMetrics, openMetrics } from "../src/index.ts";
import { seriesMax } from "../src/metrics/series.ts";
import type { AnswerHttp } from "../src/trace-ring/receive-otlp.ts";

const opened: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});

const facts = { instanceId: "test", production: false, serviceName: undefined, attributes: {} };

async function open(o: Partial<Parameters<typeof openMetrics>[0]> = {}): Promise<OpenMetrics> {
  const admin = { port: 0, host: "127.0.0.1" };
  const metrics = await openMetrics({
    name: "order",
    facts,
    admin,
    otlp: undefined,
    onExported: () => undefined,
    ...o,
  });
  if (metrics === undefined) throw new Error("nothing was opened");
  opened.push(metrics);
  return metrics;
}

async function read({ port }: OpenMetrics): Promise<readonly string[]> {
  const answer = await fetch(`http://127.0.0.1:${port}/metrics`);
  expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  return (await answer.text()).split("\n");
}

describe("the metrics of a process", () => {
  it.each([
    ["127.0.0.1", 200],
    ["::1", 200],
    ["0.0.0.0", 404],
    ["::", 404],
  ])("stand beside what is received from this machine, where no other reaches the port: %s", async (host, status) => {
    const others: AnswerHttp = async (_, response) => void response.writeHead(200).end();
    const isOfOthers: AnswerHttp = (request, response) =>
      request.url === "/v1/traces" ? others(request, response) : undefined;
    const metrics = await open({ admin: { port: 0, host }, others: isOfOthers });
    const own = host.includes(":") ? "[::1]" : "127.0.0.1";
    expect((await fetch(`http://${own}:${metrics.port}/v1/traces`, { method: "POST" })).status).toBe(status);
    expect((await fetch(`http://${own}:${metrics.port}/metrics`)).status).toBe(200);
  });

  it("are Prometheus' text on a port of their own, with the service in each series", async () => {
    const metrics = await open();
    const order = metrics.registry.of("order");
    const counter = order.counter({ name: "rialto.things", unit: "{thing}", description: 'Things, "all" of\nthem' });
    counter.with({ kind: 'a "quoted" \\ one' }).add();
    counter.with({ kind: "other" }).add(2);
    const duration = { name: "rialto.thing.duration", unit: "s", description: "How long", boundaries: [0.1, 1] };
    const series = order.histogram(duration).with({});
    for (const seconds of [0.05, 0.1, 0.5, 7]) series.record(seconds);
    order.gauge({ name: "rialto.lag", unit: "By", description: "Lag" }, () => [{ labels: { of: "x" }, value: 1.5 }]);
    const lines = await read(metrics);
    expect(lines.filter((line) => line.includes("rialto_"))).toEqual([
      '# HELP rialto_things_total Things, "all" of\\nthem',
      "# TYPE rialto_things_total counter",
      'rialto_things_total{service="order",kind="a \\"quoted\\" \\\\ one"} 1',
      'rialto_things_total{service="order",kind="other"} 2',
      "# HELP rialto_thing_duration_seconds How long",
      "# TYPE rialto_thing_duration_seconds histogram",
      'rialto_thing_duration_seconds_bucket{service="order",le="0.1"} 2',
      'rialto_thing_duration_seconds_bucket{service="order",le="1"} 3',
      'rialto_thing_duration_seconds_bucket{service="order",le="+Inf"} 4',
      'rialto_thing_duration_seconds_sum{service="order"} 7.65',
      'rialto_thing_duration_seconds_count{service="order"} 4',
      "# HELP rialto_lag_bytes Lag",
      "# TYPE rialto_lag_bytes gauge",
      'rialto_lag_bytes{service="order",of="x"} 1.5',
    ]);
    expect((await fetch(`http://127.0.0.1:${metrics.port}/`)).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${metrics.port}/metrics`, { method: "POST" })).status).toBe(405);
  });

  it("say how late the event loop is, and what memory the process has", async () => {
    const lines = await read(await open());
    for (const name of ["nodejs_eventloop_delay_seconds", "v8js_memory_heap_used_bytes", "process_memory_usage_bytes"])
      expect(lines.filter((line) => line.startsWith(`${name}{`)).length, name).toBeGreaterThan(0);
  });

  it("are those of all services of the process under one name", async () => {
    const metrics = await open();
    const name = { name: "rialto.shared", unit: "1", description: "Shared" };
    for (const service of ["order", "payment"]) metrics.registry.of(service).counter(name).with({}).add();
    const lines = await read(metrics);
    expect(lines.filter((line) => line.startsWith("rialto_shared_total{"))).toEqual([
      'rialto_shared_total{service="order"} 1',
      'rialto_shared_total{service="payment"} 1',
    ]);
    expect(lines.filter((line) => line === "# TYPE rialto_shared_total counter")).toHaveLength(1);
  });

  it("are not opened where nobody reads them", async () => {
    const nothing = { admin: undefined, otlp: undefined, onExported: () => undefined };
    expect(await openMetrics({ name: "order", facts, ...nothing })).toBeUndefined();
  });

  it("are sent by OTLP, the last time when the process stops", async () => {
    const bodies: string[] = [];
    const receiver = createServer((request, response) => {
      let body = "";
      request.setEncoding("utf8").on("data", (part: string) => {
        body += part;
      });
      request.once("end", () => {
        bodies.push(body);
        response.writeHead(200, { "content-type": "application/json" }).end("{}");
      });
    });
    receiver.listen(0, "127.0.0.1");
    await once(receiver, "listening");
    opened.push({ close: async () => void receiver.close() });
    const address = receiver.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const otlp = {
      url: `http://127.0.0.1:${port}/v1/metrics`,
      protocol: "http/json" as const,
      headers: {},
      timeoutMs: 5_000,
    };
    const metrics = await open({ admin: undefined, otlp });
    metrics.registry.of("order").counter({ name: "rialto.sent", unit: "1", description: "Sent" }).with({}).add(3);
    await metrics.close();
    const [{ resource, scopeMetrics }] = JSON.parse(bodies[0] ?? "{}").resourceMetrics;
    expect(resource.attributes).toContainEqual({ key: "service.name", value: { stringValue: "order" } });
    const sent = scopeMetrics.flatMap(({ metrics: all }: { metrics: { name: string }[] }) => all);
    expect(sent.find(({ name }: { name: string }) => name === "rialto.sent")).toMatchObject({
      sum: { isMonotonic: true, dataPoints: [{ asInt: 3 }] },
    });
  });
});

describe("a series", () => {
  it("is the same object for the same labels, in any order", () => {
    const family = createMetricRegistry().of("order").counter({ name: "one", unit: "1", description: "One" });
    expect(family.with({ a: "1", b: "2" })).toBe(family.with({ b: "2", a: "1" }));
  });

  it("is counted with the others that are too many where labels have too many values", async () => {
    const metrics = await open();
    const family = metrics.registry.of("order").counter({ name: "rialto.many", unit: "1", description: "Many" });
    for (let n = 0; n < seriesMax + 10; n += 1) family.with({ n: String(n) }).add();
    const lines = (await read(metrics)).filter((line) => line.startsWith("rialto_many_total{"));
    expect(lines).toHaveLength(seriesMax + 1);
    expect(lines.at(-1)).toBe('rialto_many_total{otel_metric_overflow="true"} 10');
  });
});

describe("a gauge", () => {
  it("that fails or never answers is left out, and the others are shown", async () => {
    const metrics = await open();
    const order = metrics.registry.of("order");
    const gauge = (name: string) => ({ name, unit: "1", description: name });
    order.gauge(gauge("rialto.broken"), () => Promise.reject(new Error("no database")));
    order.gauge(gauge("rialto.silent"), () => new Promise(() => undefined));
    order.gauge(gauge("rialto.fine"), () => [{ labels: {}, value: 1 }]);
    const lines = (await read(metrics)).filter((line) => /^rialto_(broken|silent|fine)\{/.test(line));
    expect(lines).toEqual(['rialto_fine{service="order"} 1']);
  });

  it("asks once for many who collect at the same time, and again after a failure", async () => {
    let asked = 0;
    const read = cachedFor(60_000, async () => {
      asked += 1;
      if (asked === 1) throw new Error("no database");
      return asked;
    });
    await expect(read()).rejects.toThrow("no database");
    expect(await Promise.all([read(), read(), read()])).toEqual([2, 2, 2]);
  });
});
