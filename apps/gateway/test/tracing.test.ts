import type { OrderService } from "@rialto/contracts";
import { CallError, callErrors, type Handlers } from "@rialto/rpc";
import { openTelemetry } from "@rialto/telemetry";
import { type ReceivedSpan, startOtlpReceiver } from "@rialto/testing/otlp-receiver";
import { describe, expect, it, onTestFinished } from "vitest";
import type { GatewayOptions } from "../src/options.ts";
import { customerId, orderId, startStubSystem } from "./stub-system.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";
const outside = { sampled: `00-${traceId}-b7ad6b7169203331-01`, unsampled: `00-${traceId}-b7ad6b7169203331-00` };
const viewer = { "x-rialto-viewer": "traces" };
const method = "rialto.order.v1.OrderService/GetOrder";

/** A gateway and services that export to a receiver. */
async function startTraced(
  o: {
    readonly ratio?: number;
    readonly overNetwork?: boolean;
    readonly orders?: Partial<Handlers<typeof OrderService>>;
    readonly gateway?: Partial<GatewayOptions>;
  } = {},
) {
  const receiver = await startOtlpReceiver();
  const target = { protocol: "http/json", headers: {}, timeoutMs: 5_000 } as const;
  const telemetry = await openTelemetry({
    config: {
      disabled: false,
      serviceName: undefined,
      resourceAttributes: {},
      traces: { ...target, url: `${receiver.url}/v1/traces` },
      metrics: undefined,
      logs: undefined,
      samplingRatio: o.ratio ?? 1,
    },
    production: false,
    onExportChange: () => undefined,
  });
  const system = await startStubSystem(o.orders ?? {}, {
    overNetwork: o.overNetwork ?? false,
    tracingOf: telemetry.tracingOf,
    ...(o.gateway === undefined ? {} : { gateway: o.gateway }),
  });
  onTestFinished(async () => {
    await system.close();
    await receiver.close();
  });
  const authorization = `Bearer ${await system.token("CUSTOMER")}`;
  return {
    system,
    /** Sends GetOrder in Connect. */
    call: (headers: Readonly<Record<string, string>> = {}) =>
      fetch(`${system.url}/${method}`, {
        method: "POST",
        headers: { authorization, "content-type": "application/json", ...headers },
        body: JSON.stringify({ id: orderId }),
      }).then(async (response) => ({ status: response.status, text: await response.text() })),
    rest: (headers: Readonly<Record<string, string>> = {}) =>
      fetch(`${system.url}/api/orders/${orderId}`, { headers: { authorization, cookie: "hunter2", ...headers } }).then(
        (response) => response.text(),
      ),
    /** Everything that was exported. Nothing is exported after it. */
    async exported(): Promise<{ readonly spans: readonly ReceivedSpan[]; readonly text: string }> {
      await system.close();
      await telemetry.close();
      return { spans: receiver.spans, text: Buffer.concat(receiver.bodies.map(({ bytes }) => bytes)).toString() };
    },
  };
}

/** The chain of spans from the first one down, as "service kind name". */
function chain(spans: readonly ReceivedSpan[], root: string | undefined = undefined): readonly string[] {
  const child = spans.find(({ parentSpanId }) => parentSpanId === root);
  if (child === undefined) return [];
  return [`${child.service} ${child.kind} ${child.name}`, ...chain(spans, child.spanId)];
}

describe("the trace of a request", () => {
  it("is not made for what the page that shows traces reads, where that is served", async () => {
    const served = await startTraced({ gateway: { showsTraces: true } });
    await served.rest(viewer);
    expect((await served.exported()).spans).toEqual([]);
    const production = await startTraced();
    await production.rest(viewer);
    expect((await production.exported()).spans).not.toEqual([]);
  });

  it("is made whatever a request says of that page where it changes something, or reads something else", async () => {
    const served = await startTraced({ gateway: { showsTraces: true } });
    await served.call(viewer);
    await fetch(`${served.system.url}/api/orders`, { method: "POST", headers: viewer });
    await fetch(`${served.system.url}/api/products`, { headers: viewer });
    const { spans } = await served.exported();
    expect(spans.filter(({ parentSpanId }) => parentSpanId === undefined)).toHaveLength(3);
  });

  it("is the gateway's span alone where what that page reads fails", async () => {
    const fails = () => {
      throw new Error("boom");
    };
    const served = await startTraced({ gateway: { showsTraces: true }, orders: { getOrder: fails } });
    await served.rest(viewer);
    const { spans } = await served.exported();
    expect(spans.filter(({ service }) => service === "gateway")).toMatchObject([
      { name: "GET /api/orders/{id}", attributes: { "rialto.sampled_by": "failure" } },
    ]);
  });

  it("has the gateway's span, that of its call and that of the service, each the parent of the next", async () => {
    const traced = await startTraced({ overNetwork: true });
    await traced.call();
    const { spans } = await traced.exported();
    expect(chain(spans)).toEqual([
      `gateway server POST /${method}`,
      `gateway client ${method}`,
      `order server ${method}`,
    ]);
    expect(new Set(spans.map((span) => span.traceId)).size).toBe(1);
    expect(spans).toHaveLength(3);
  });

  it("has two spans where the service is called in this process, named by the route and by the method", async () => {
    const traced = await startTraced();
    await traced.rest();
    const { spans, text } = await traced.exported();
    expect(chain(spans)).toEqual(["gateway server GET /api/orders/{id}", `order server ${method}`]);
    expect(spans.find(({ service }) => service === "gateway")?.attributes).toMatchObject({
      "http.request.method": "GET",
      "http.route": "/api/orders/{id}",
      "http.response.status_code": 200,
      "rialto.user.id": customerId,
    });
    expect(text).not.toContain("hunter2");
    expect(text).not.toContain(orderId);
  });

  it("continues in what the service calls from its handler", async () => {
    const seen: string[] = [];
    const traced = await startTraced({
      orders: {
        async getOrder(_, ctx) {
          seen.push(ctx.traceparent);
          return {};
        },
      },
    });
    await traced.call();
    const { spans } = await traced.exported();
    const server = spans.find(({ service }) => service === "order");
    expect(seen).toEqual([`00-${server?.traceId}-${server?.spanId}-01`]);
  });

  it("of a health page is not recorded", async () => {
    const traced = await startTraced();
    await fetch(`${traced.system.url}/health`);
    expect((await traced.exported()).spans).toEqual([]);
  });
});

describe("a traceparent from outside", () => {
  it("gives the id of the trace, and the decision is made here", async () => {
    const recorded = await startTraced({ ratio: 1 });
    await recorded.call({ traceparent: outside.unsampled });
    const { spans } = await recorded.exported();
    expect(new Set(spans.map((span) => span.traceId))).toEqual(new Set([traceId]));
    expect(chain(spans, "b7ad6b7169203331")).toHaveLength(spans.length);

    const dropped = await startTraced({ ratio: 0 });
    await dropped.call({ traceparent: outside.sampled });
    expect((await dropped.exported()).spans).toEqual([]);
  });

  it("of a trusted proxy gives both", async () => {
    const traced = await startTraced({ ratio: 0, gateway: { trustedProxies: ["127.0.0.1"] } });
    await traced.call({ traceparent: outside.sampled });
    await traced.call({ traceparent: outside.unsampled });
    const { spans } = await traced.exported();
    expect(spans.filter(({ service, kind }) => service === "gateway" && kind === "server")).toHaveLength(1);
  });

  it("comes with a tracestate that is bounded, and with no baggage but what is listed", async () => {
    const traced = await startTraced({ overNetwork: true, gateway: { baggageNames: new Set(["campaign"]) } });
    const tracestate = `a=1,b=${"x".repeat(300)}`;
    await traced.call({ tracestate, baggage: "campaign=spring,userId=ada@example.com" });
    const headers = traced.system.sent.at(-1)?.headers;
    expect(headers?.get("tracestate")).toBe("a=1");
    expect(headers?.get("baggage")).toBe("campaign=spring");
  });
});

describe("a call that fails in a trace that is not sampled", () => {
  const fails = {
    orders: {
      getOrder: () => Promise.reject(new Error("a row of ada@example.com")),
    },
  };

  it("exports its own server spans, marked, and so is its log line", async () => {
    const traced = await startTraced({ ratio: 0, overNetwork: true, ...fails });
    expect((await traced.call()).status).toBe(500);
    const { spans, text } = await traced.exported();
    expect(spans.map(({ service, kind }) => `${service} ${kind}`).toSorted()).toEqual([
      "gateway server",
      "order server",
    ]);
    for (const span of spans) {
      expect(span.isFailed).toBe(true);
      expect(span.attributes["rialto.sampled_by"]).toBe("failure");
    }
    const [gateway, order] = ["gateway", "order"].map((name) => spans.find(({ service }) => service === name));
    expect(order?.parentSpanId).toBe(gateway?.spanId);
    expect(traced.system.lines.find(({ msg }) => msg === "request")).toMatchObject({
      traceId: gateway?.traceId,
      spanId: gateway?.spanId,
      sampledBy: "failure",
    });
    expect(text).not.toContain("ada@");
  });

  it("exports nothing where it is refused, which is an answer", async () => {
    const refuses = { getOrder: () => Promise.reject(new CallError(callErrors.ACCESS_DENIED)) };
    const traced = await startTraced({ ratio: 0, orders: refuses });
    expect((await traced.call()).status).toBe(403);
    expect((await traced.exported()).spans).toEqual([]);
  });
});
