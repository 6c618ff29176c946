import { randomBytes, randomUUID } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Jaeger } from "@rialto/testing/jaeger";
import type { ReceivedSpan } from "@rialto/testing/otlp-receiver";
import { openRestClient } from "../rest-client.ts";
import { sixProcesses, type Topology } from "../topology.ts";
import { type ClientSpan, checkTrace, services, type TraceCheck, tracedLines } from "./trace-check.ts";

const ordersAtOnce = 50;
const mailPollMs = 200;

/** The traces of orders that Jaeger has. */
export interface OrderTraces {
  readonly alone: TraceCheck;
  readonly together: readonly TraceCheck[];
}

/** Places an order, then 50 at once, in six processes that export to Jaeger, and checks their traces there. */
export async function checkOrderTraces(jaeger: Jaeger): Promise<OrderTraces> {
  const system = await sixProcesses({
    OTEL_SDK_DISABLED: "false",
    OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: jaeger.tracesUrl,
    RIALTO_LOG_LEVEL: "debug",
    RIALTO_ARGON2_COST: "test",
  });
  let isStopped = false;
  try {
    const client = await openRestClient(system);
    const { token } = await client.customer();
    const product = await client.product({ stock: 1_000 });
    const order = async (): Promise<ClientSpan> => {
      const span = { traceId: randomBytes(16).toString("hex"), spanId: randomBytes(8).toString("hex") };
      const id = await place(system, { token, product, traceparent: `00-${span.traceId}-${span.spanId}-01` });
      const { status } = await client.settled(token, id);
      if (status !== "CONFIRMED") throw new Error(`an order ended as ${status}`);
      return span;
    };
    const alone = await order();
    const together = await Promise.all(Array.from({ length: ordersAtOnce }, order));
    while ((await orderMails(system)) < ordersAtOnce + 1) await sleep(mailPollMs);
    // Each process exports what waits when it stops.
    await system.stop();
    isStopped = true;
    const lines = tracedLines(system.said());
    const linked = await spansWithLinks(jaeger);
    const check = async (span: ClientSpan) => checkTrace(await jaeger.spansOf(span.traceId), linked, span, lines);
    const checks: TraceCheck[] = [];
    for (const span of together) checks.push(await check(span));
    return { alone: await check(alone), together: checks };
  } finally {
    if (!isStopped) await system.stop();
  }
}

/** The spans with links of all traces that Jaeger has, each once. */
async function spansWithLinks(jaeger: Jaeger): Promise<readonly ReceivedSpan[]> {
  const found = new Map<string, ReceivedSpan>();
  for (const service of services)
    for (const span of await jaeger.spansBeside(service))
      if (span.links.length > 0) found.set(`${span.traceId} ${span.spanId}`, span);
  return [...found.values()];
}

async function place(
  { url }: Topology,
  o: { readonly token: string; readonly product: string; readonly traceparent: string },
): Promise<string> {
  const answer = await fetch(`${url}/api/orders`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${o.token}`,
      "content-type": "application/json",
      "idempotency-key": randomUUID(),
      traceparent: o.traceparent,
      // A busy machine is no reason to send an order twice, which its trace would show.
      "connect-timeout-ms": "60000",
    },
    body: JSON.stringify({ items: [{ productId: o.product, quantity: 1 }], paymentMethod: "pm_test_approved" }),
  });
  const text = await answer.text();
  if (answer.status !== 200) throw new Error(`an order was answered with ${answer.status}: ${text}`);
  return String(JSON.parse(text).id);
}

async function orderMails({ dataDir }: Topology): Promise<number> {
  const folder = join(dataDir, "mail");
  const names = (await readdir(folder).catch(() => [])).filter((name) => name.endsWith(".eml"));
  const mails = await Promise.all(names.map((name) => readFile(join(folder, name), "utf8")));
  return mails.filter((text) => /^Subject:.*\border\b/im.test(text)).length;
}
