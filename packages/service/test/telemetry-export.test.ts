import { createLogger, openTelemetry, type TelemetryConfig } from "@rialto/telemetry";
import { type OtlpReceiver, startOtlpReceiver } from "@rialto/testing/otlp-receiver";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { readConfig } from "../src/config/config.ts";

function configFor(url: string, more: Readonly<Record<string, string>> = {}): TelemetryConfig {
  return readConfig({
    OTEL_EXPORTER_OTLP_ENDPOINT: url,
    OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
    OTEL_EXPORTER_OTLP_TIMEOUT: "500",
    ...more,
  }).telemetry;
}

async function open(more: Readonly<Record<string, string>> = {}) {
  const receiver = await startOtlpReceiver();
  onTestFinished(() => receiver.close());
  return { receiver, ...(await opened(configFor(receiver.url, more))) };
}

async function opened(config: TelemetryConfig) {
  const changes: string[] = [];
  const telemetry = await openTelemetry({
    config,
    production: false,
    onExportChange: (signal, failure) => changes.push(`${signal} ${failure === undefined ? "again" : "failing"}`),
  });
  const tracing = telemetry.tracingOf("order");
  const log = createLogger({
    service: "order",
    destination: { write: () => undefined },
    ...telemetry.loggingOf("order"),
  });
  const work = (name: string) => tracing?.begin(name, { traceparent: undefined })?.end();
  return { telemetry, tracing, log, work, changes };
}

const one = (receiver: OtlpReceiver) => vi.waitFor(() => expect(receiver.spans).not.toEqual([]), { timeout: 20_000 });

describe("openTelemetry", () => {
  it("makes nothing and exports nothing unless an endpoint is named", async () => {
    const { telemetry, tracing } = await opened(readConfig({}).telemetry);
    expect(tracing).toBeUndefined();
    expect(telemetry.loggingOf("order")).toEqual({ isTraced: false, takeLine: undefined });
  });

  it.each([{ OTEL_SDK_DISABLED: "true" }, { OTEL_TRACES_EXPORTER: "none", OTEL_LOGS_EXPORTER: "none" }])(
    "exports nothing with %j, whatever endpoint is named",
    async (more) => {
      const { telemetry, tracing } = await opened(configFor("http://127.0.0.1:1", more));
      expect(tracing).toBeUndefined();
      expect(telemetry.loggingOf("order").takeLine).toBeUndefined();
    },
  );

  it("exports spans and log lines under the name of the service, each where its trace is", async () => {
    const { receiver, telemetry, tracing, log } = await open({ OTEL_RESOURCE_ATTRIBUTES: "region=north%20sea" });
    const span = tracing?.begin("work", { traceparent: undefined });
    span?.run(() => log.warn({ orderId: "o-1", password: "hunter2", err: new Error("boom") }, "went wrong"));
    span?.end();
    await telemetry.close();
    expect(receiver.spans).toMatchObject([{ service: "order", name: "work", traceId: span?.traceId }]);
    expect(receiver.records).toMatchObject([
      { service: "order", text: "went wrong", severity: "warn", traceId: span?.traceId, spanId: span?.spanId },
    ]);
    expect(receiver.records[0]?.attributes).toMatchObject({ orderId: "o-1", "exception.message": "boom" });
    const sent = Buffer.concat(receiver.bodies.map(({ bytes }) => bytes)).toString();
    expect(sent).toContain("north sea");
    expect(sent).not.toContain("hunter2");
  });

  it("exports protobuf by default, with the headers that were given", async () => {
    const { receiver, telemetry, tracing } = await open({ OTEL_EXPORTER_OTLP_PROTOCOL: "" });
    const span = tracing?.begin("work", { traceparent: undefined });
    span?.end();
    await telemetry.close();
    const [body] = receiver.bodies;
    expect(body).toMatchObject({ path: "/v1/traces", contentType: "application/x-protobuf" });
    expect(body?.bytes.includes(Buffer.from(span?.traceId ?? "", "hex"))).toBe(true);
  });

  it("uses the URL of a signal as it is", async () => {
    const receiver = await startOtlpReceiver();
    onTestFinished(() => receiver.close());
    const { telemetry, work, log } = await opened(
      readConfig({ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: `${receiver.url}/own/path` }).telemetry,
    );
    work("work");
    log.info("not exported");
    await telemetry.close();
    expect(receiver.bodies.map(({ path }) => path)).toEqual(["/own/path"]);
  });
});

describe("a receiver that fails", () => {
  it.each(["error", "hang"] as const)("costs spans and no memory: %s", async (how) => {
    const { receiver, telemetry, work, changes } = await open();
    receiver.answer(how);
    for (let n = 0; n < 100_000; n += 1) work(`work ${n}`);
    await vi.waitFor(() => expect(changes).toContain("traces failing"), { timeout: 20_000 });
    receiver.answer("ok");
    // What waited is bounded: 8,192 spans, and four exports of 512 that were on their way.
    await telemetry.close();
    expect(receiver.spans.length).toBeLessThanOrEqual(8_192 + 4 * 512);
  });

  it("that is not there is reported once, and so is its return", async () => {
    const { receiver, telemetry, work, changes } = await open();
    receiver.answer("error");
    work("first");
    await vi.waitFor(() => expect(changes).toEqual(["traces failing"]), { timeout: 20_000 });
    work("second");
    await vi.waitFor(() => expect(receiver.bodies.length).toBeGreaterThan(1), { timeout: 20_000 });
    expect(changes).toEqual(["traces failing"]);
    receiver.answer("ok");
    work("third");
    await one(receiver);
    await vi.waitFor(() => expect(changes).toEqual(["traces failing", "traces again"]), { timeout: 20_000 });
    await telemetry.close();
  });

  it("and never answers does not hold up the end of the process", async () => {
    const { receiver, telemetry, work } = await open({ OTEL_EXPORTER_OTLP_TIMEOUT: "60000" });
    receiver.answer("hang");
    work("work");
    // It would wait for a minute: the test's own timeout fails first.
    await telemetry.close();
    expect(receiver.spans).toEqual([]);
  });
});

describe("the variables of OpenTelemetry", () => {
  it.each([
    [{}, 1],
    [{ OTEL_TRACES_SAMPLER: "parentbased_always_off" }, 0],
    [{ OTEL_TRACES_SAMPLER: "parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG: "0.01" }, 0.01],
  ])("%j samples new traces at the ratio %s", (more, ratio) => {
    expect(configFor("http://collector:4318", more).samplingRatio).toBe(ratio);
  });

  it.each([
    { OTEL_TRACES_SAMPLER_ARG: "2" },
    { OTEL_TRACES_SAMPLER: "xray" },
    { OTEL_EXPORTER_OTLP_PROTOCOL: "grpc" },
    { OTEL_EXPORTER_OTLP_HEADERS: "no pair" },
    { OTEL_EXPORTER_OTLP_ENDPOINT: "collector:4318" },
  ])("%j is refused by its name, without its value", (more) => {
    const [name, value] = Object.entries(more)[0] ?? ["", ""];
    expect(() => readConfig(more)).toThrow(name);
    expect(() => readConfig(more)).not.toThrow(value);
  });

  it("gives each signal the general headers unless it has its own", () => {
    const { traces, logs } = configFor("http://collector:4318/", {
      OTEL_EXPORTER_OTLP_HEADERS: "api-key=a%20b",
      OTEL_EXPORTER_OTLP_LOGS_HEADERS: "api-key=c",
    });
    expect(traces).toMatchObject({ url: "http://collector:4318/v1/traces", headers: { "api-key": "a b" } });
    expect(logs?.headers).toEqual({ "api-key": "c" });
  });
});
