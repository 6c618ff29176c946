import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { freePort } from "@rialto/testing";
import { type OtlpReceiver, type ReceivedSpan, startOtlpReceiver } from "@rialto/testing/otlp-receiver";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { type Json, openRestClient, type RestClient } from "./rest-client.ts";
import { oneProcess, sixProcesses, type Topology } from "./topology.ts";

const ordersAtOnce = 12;
const services = ["gateway", "notification", "order", "payment", "product", "user"];
/** Spans that the trace of every confirmed order has. */
const namesOfOrder = [
  "POST /api/orders",
  "rialto.order.v1.OrderService/CreateOrder",
  "group commit orders",
  "send order.placed",
  "process order.placed",
  "checkout reserve-stock",
  "checkout authorize-payment",
  "process order.confirmed",
  "send mail",
];

// One trace leads from the client through the gateway, every service, SQL, the outbox, the queue and the checkout to
// the mail. In one process the network's spans are missing, and nothing else.
describe.each([
  { where: "in one process", jobs: "bullmq on postgres", start: (env: Env) => oneProcess("postgres", env) },
  {
    where: "in six processes",
    jobs: "bullmq on redis",
    start: (env: Env, adminPort: number) =>
      sixProcesses((name) => ({ ...env, ...(name === "gateway" ? { RIALTO_ADMIN_PORT: String(adminPort) } : {}) })),
  },
])("the trace of an order $where", ({ where, start }) => {
  let receiver: OtlpReceiver;
  let system: Topology;
  let client: RestClient;
  let stop: () => Promise<void> = async () => undefined;
  /** The text of a mail that was sent. */
  let mail = "";
  let customer: Awaited<ReturnType<RestClient["customer"]>>;
  const traceIds: string[] = [];
  const orderIds: string[] = [];
  /** The traces of each order as the gateway shows them, the newest first. */
  const kept: Json[][] = [];
  const card = "pm_test_approved";

  /** Places an order under a trace id of the test's own, as a traced shop would, and waits until it is at rest. */
  async function order(product: string): Promise<string> {
    const traceId = Array.from({ length: 32 }, () => Math.floor(Math.random() * 16).toString(16)).join("");
    const response = await fetch(`${system.url}/api/orders?hidden=in-the-query`, { method: "POST" });
    expect(response.status).not.toBe(200);
    const placed = await fetch(`${system.url}/api/orders`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${customer.token}`,
        "content-type": "application/json",
        "idempotency-key": traceId,
        traceparent: `00-${traceId}-b7ad6b7169203331-01`,
      },
      body: JSON.stringify({ items: [{ productId: product, quantity: 1 }], paymentMethod: card }),
    });
    expect(placed.status).toBe(200);
    const id: string = JSON.parse(await placed.text()).id;
    expect((await client.settled(customer.token, id)).status).toBe("CONFIRMED");
    traceIds.push(traceId);
    orderIds.push(id);
    return id;
  }

  async function get(path: string): Promise<Json> {
    const { status, body } = await client.call("GET", path, { token: client.adminToken });
    expect(status, path).toBe(200);
    return body;
  }

  /** Reads the traces of an order from the gateway, the newest first, once they are as the check asks. */
  function keptOf(orderId: string, check: (traces: Json[]) => void): Promise<Json[]> {
    return vi.waitFor(
      async () => {
        const { traces } = await get(`/api/traces?orderId=${orderId}`);
        const found: Json[] = [];
        for (const { traceId } of traces) found.push(await get(`/api/traces/${traceId}`));
        check(found);
        return found;
      },
      { timeout: 60_000, interval: 250 },
    );
  }

  /** Checks that a trace has the work of a whole order, the job that began it, and lines of all services. */
  function requireWhole(trace: Json): void {
    const names = trace.spans.map(({ name }: Json) => name);
    expect(names).toEqual(expect.arrayContaining(namesOfOrder));
    // The job ends after the work of its events. In a batch it is in a trace of its own, which is linked.
    const withLinked = [...trace.spans, ...trace.linkedSpans].map(({ service, name }: Json) => `${service}: ${name}`);
    expect(withLinked).toContain("order: receive checkout");
    const lines = trace.spans.flatMap(({ logLines }: Json) => logLines);
    expect(new Set(lines.map(({ service }: Json) => service))).toEqual(new Set(services));
  }

  beforeAll(async () => {
    const adminPort = await freePort();
    // What a process sends reaches the gateway as it would without the receiver between them.
    const forwardTo = where === "in six processes" ? `http://127.0.0.1:${adminPort}` : undefined;
    receiver = await startOtlpReceiver({ forwardTo });
    const env = {
      OTEL_SDK_DISABLED: "false",
      OTEL_EXPORTER_OTLP_ENDPOINT: receiver.url,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      RIALTO_LOG_LEVEL: "debug",
    };
    const started = await start(env, adminPort);
    system = started;
    let stopping: Promise<void> | undefined;
    stop = () => (stopping ??= started.stop());
    client = await openRestClient(system);
    customer = await client.customer();
    const product = await client.product({ stock: 100, name: "Teapot" });
    await order(product);
    await Promise.all(Array.from({ length: ordersAtOnce }, () => order(product)));
    const folder = join(system.dataDir, "mail");
    const orderMails = async () => {
      const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".eml"));
      const mails = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
      return mails.filter((text) => /^Subject:.*\border\b/im.test(text));
    };
    await vi.waitFor(async () => expect(await orderMails()).toHaveLength(ordersAtOnce + 1), { timeout: 60_000 });
    [mail = ""] = await orderMails();
    for (const orderId of orderIds) kept.push(await keptOf(orderId, ([trace]) => requireWhole(trace)));
    const [first = ""] = orderIds;
    expect((await client.post(`/api/orders/${first}:ship`, { token: client.adminToken })).status).toBe(200);
    kept[0] = await keptOf(first, ([shipped, placed]) => {
      requireWhole(placed);
      expect(shipped.spans.map(({ name }: Json) => name)).toContain("process order.shipped");
    });
    // Each process exports what waits when it stops.
    await stop();
  }, 420_000);

  afterAll(async () => {
    await stop();
    await receiver?.close();
  });

  const spansOf = (traceId: string | undefined) => receiver.spans.filter((span) => span.traceId === traceId);
  const named = (spans: readonly ReceivedSpan[], name: string) => spans.filter((span) => span.name === name);

  /** The names from the first span of the trace down to this one. */
  function pathTo(span: ReceivedSpan | undefined, spans: readonly ReceivedSpan[]): readonly string[] {
    if (span === undefined) return [];
    const parent = spans.find(({ spanId }) => spanId === span.parentSpanId);
    return [...pathTo(parent, spans), `${span.service}: ${span.name}`];
  }

  it("has spans of the gateway, all services, statements, events, steps and the mail, whose parents all are there", () => {
    for (const traceId of traceIds) {
      const spans = spansOf(traceId);
      expect(new Set(spans.map(({ service }) => service))).toEqual(new Set(services));
      const names = new Set(spans.map(({ name }) => name));
      for (const name of namesOfOrder) expect(names, `${name} of ${traceId}`).toContain(name);
      const ids = new Set(["b7ad6b7169203331", ...spans.map(({ spanId }) => spanId)]);
      const orphans = spans.filter(({ parentSpanId }) => parentSpanId === undefined || !ids.has(parentSpanId));
      expect(orphans.map(({ name }) => name)).toEqual([]);
    }
  });

  it("leads from the request through the queue to the mail", () => {
    const spans = spansOf(traceIds[0]);
    const network = where === "in six processes" ? ["gateway: rialto.order.v1.OrderService/CreateOrder"] : [];
    const path = pathTo(named(spans, "process order.placed")[0], spans);
    expect(path).toEqual([
      "gateway: POST /api/orders",
      ...network,
      "order: rialto.order.v1.OrderService/CreateOrder",
      "order: send order.placed",
      "order: process order.placed",
    ]);
    expect(pathTo(named(spans, "send mail")[0], spans).slice(-3)).toEqual([
      "order: send order.confirmed",
      "notification: process order.confirmed",
      "notification: send mail",
    ]);
    const [process] = named(spans, "process order.placed");
    expect(process?.kind).toBe("consumer");
    const jobs = receiver.spans.filter(({ name }) => name === "receive checkout");
    expect(jobs.some(({ links }) => links.some(({ spanId }) => spanId === process?.spanId))).toBe(true);
  });

  it("has statements below the work that sent them", () => {
    const spans = spansOf(traceIds[0]);
    const statements = spans.filter(({ attributes }) => attributes["db.system.name"] === "postgresql");
    expect(new Set(statements.map(({ service }) => service))).toEqual(
      new Set(services.filter((service) => service !== "gateway")),
    );
  });

  it("is in the log lines of all services, which are exported too", () => {
    const lines = receiver.records.filter(({ traceId }) => traceId === traceIds[0]);
    expect(new Set(lines.map(({ service }) => service))).toEqual(new Set(services));
    expect(lines.every(({ spanId }) => spanId !== undefined)).toBe(true);
  });

  it("is in no log line whose span is in another trace", () => {
    const traceOf = new Map(receiver.spans.map(({ traceId, spanId }) => [spanId, traceId]));
    const lines = receiver.records.filter(({ traceId }) => traceIds.includes(traceId ?? ""));
    const strays = lines.filter(({ traceId, spanId }) => traceOf.get(spanId ?? "") !== traceId);
    expect(strays.map(({ service, text, spanId }) => ({ service, text, span: spanId }))).toEqual([]);
  });

  it("is shown by the gateway for the order's id, with the work and the log lines of all services", () => {
    for (const [index, traces] of kept.entries()) {
      const { traceId, spans, droppedSpans, droppedLogLines } = traces.at(-1);
      expect([traceId, droppedSpans, droppedLogLines]).toEqual([traceIds[index], 0, 0]);
      const namesOf = (all: Json[]) => all.map(({ name, service }) => `${service}: ${name}`);
      const sent = spansOf(traceId).map(({ service, name }) => `${service}: ${name}`);
      expect(sent).toEqual(expect.arrayContaining(namesOf(spans)));
      requireWhole(traces.at(-1));
    }
  });

  it("is one of several in the whole life of an order that was changed later", () => {
    const [shipped, placed, ...others] = kept[0] ?? [];
    const namesOf = ({ spans }: Json) => spans.map(({ name }: Json) => name);
    expect(namesOf(shipped)).toEqual(expect.arrayContaining(["POST /api/orders/{id}:ship", "process order.shipped"]));
    expect(namesOf(placed)).toContain("POST /api/orders");
    expect(others).toEqual([]);
  });

  it("has no parameter, body, mail address, query string, token or password in what is exported or shown", () => {
    const shown = JSON.stringify(kept);
    const sent = Buffer.concat([...receiver.bodies.map(({ bytes }) => bytes), Buffer.from(shown)]).toString();
    const secrets = [
      customer.email,
      "Lovelace",
      customer.token,
      customer.token.split(".")[1] ?? "",
      card,
      "a password of some length",
      "in-the-query",
      "Teapot",
      /^Message-ID: <(.*)>/im.exec(mail)?.[1] ?? "no id",
    ];
    // The search finds what is there.
    expect(sent).toContain("POST /api/orders");
    expect(shown).toContain("POST /api/orders");
    for (const secret of secrets) expect(sent.includes(secret), secret).toBe(false);
    expect(sent).not.toMatch(/postgres(ql)?:\/\/|Bearer |@customer\.test/);
  });
});

type Env = Readonly<Record<string, string>>;
