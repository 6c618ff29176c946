import type { ReceivedSpan } from "@rialto/testing/otlp-receiver";

/** A line of a process' log, as far as its position in a trace goes. */
export interface TracedLine {
  readonly service: string;
  readonly traceId: string;
  readonly spanId: string;
}

/** What was found in one trace. */
export interface TraceCheck {
  readonly spans: number;
  readonly statements: number;
  /** Lines of the logs with this trace's id. */
  readonly lines: number;
  /** The most messages of a batch that one of its messages was handled in. */
  readonly batch: number;
  readonly faults: readonly string[];
}

/** The position in the trace that the client's header names. */
export interface ClientSpan {
  readonly traceId: string;
  readonly spanId: string;
}

export const services = ["gateway", "user", "product", "order", "payment", "notification"] as const;

/** From the request to the checkout, and on to the mail: each name with what is right above it. */
const parents: readonly (readonly [span: string, parent: string])[] = [
  ["gateway: POST /api/orders", "the client"],
  ["gateway: rialto.order.v1.OrderService/CreateOrder", "gateway: POST /api/orders"],
  ["order: rialto.order.v1.OrderService/CreateOrder", "gateway: rialto.order.v1.OrderService/CreateOrder"],
  ["order: send order.placed", "order: rialto.order.v1.OrderService/CreateOrder"],
  ["order: process order.placed", "order: send order.placed"],
  ["notification: process order.confirmed", "order: send order.confirmed"],
  ["notification: send mail", "notification: process order.confirmed"],
];
/** Somewhere in the trace. */
const others = ["order: checkout reserve-stock", "order: checkout authorize-payment"] as const;

const kinds: readonly (readonly [name: string, kind: ReceivedSpan["kind"]])[] = [
  ["gateway: POST /api/orders", "server"],
  ["gateway: rialto.order.v1.OrderService/CreateOrder", "client"],
  ["order: rialto.order.v1.OrderService/CreateOrder", "server"],
  ["order: send order.placed", "producer"],
  ["order: process order.placed", "consumer"],
  ["notification: process order.confirmed", "consumer"],
];

/**
 * Checks the trace of one confirmed order: all processes, statements of each service with a database, the way from the
 * request over both queues to the mail, no span without its parent, for each message the span of its batch with a link
 * to it, and lines of all processes, each inside a span of the trace.
 *
 * @param spans Those of the trace.
 * @param linked All spans that have links, of any trace: a statement that serves several traces at once is in one of
 * them and linked to the others.
 */
export function checkTrace(
  spans: readonly ReceivedSpan[],
  linked: readonly ReceivedSpan[],
  client: ClientSpan,
  lines: readonly TracedLine[],
): TraceCheck {
  const faults: string[] = [];
  const nameOf = ({ service, name }: ReceivedSpan) => `${service}: ${name}`;
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const parentOf = ({ parentSpanId }: ReceivedSpan): string | undefined => {
    if (parentSpanId === client.spanId) return "the client";
    const parent = byId.get(parentSpanId ?? "");
    return parent && nameOf(parent);
  };
  const missing = (what: string, wanted: readonly string[], found: ReadonlySet<string>) => {
    for (const one of wanted) if (!found.has(one)) faults.push(`${what} of ${one} are missing`);
  };

  missing("spans", services, new Set(spans.map(({ service }) => service)));
  const isLinkedHere = ({ links }: ReceivedSpan) => links.some(({ traceId }) => traceId === client.traceId);
  const shared = linked.filter((span) => span.traceId !== client.traceId && isLinkedHere(span));
  const statements = [...spans, ...shared].filter(({ attributes }) => attributes["db.system.name"] === "postgresql");
  missing(
    "statements",
    services.filter((name) => name !== "gateway"),
    new Set(statements.map(({ service }) => service)),
  );
  const names = new Set(spans.map(nameOf));
  for (const name of others) if (!names.has(name)) faults.push(`there is no "${name}"`);
  for (const span of spans) if (parentOf(span) === undefined) faults.push(`"${nameOf(span)}" has no parent`);
  for (const [name, parent] of parents) {
    const above = spans.filter((span) => nameOf(span) === name).map(parentOf);
    if (above.length !== 1 || above[0] !== parent)
      faults.push(`"${name}" should be once, below "${parent}": ${JSON.stringify(above)}`);
  }
  for (const [name, kind] of kinds)
    for (const span of spans.filter((one) => nameOf(one) === name))
      if (span.kind !== kind) faults.push(`"${name}" is of kind ${span.kind}`);

  let batch = 0;
  for (const message of spans.filter(({ name }) => name.startsWith("process "))) {
    const jobs = linked.filter(
      ({ name, links }) => name.startsWith("receive ") && links.some(({ spanId }) => spanId === message.spanId),
    );
    if (jobs.length === 1) batch = Math.max(batch, jobs[0]?.links.length ?? 0);
    else faults.push(`"${nameOf(message)}" is linked to by ${jobs.length} jobs`);
  }

  const own = lines.filter(({ traceId }) => traceId === client.traceId);
  missing("log lines", services, new Set(own.map(({ service }) => service)));
  for (const { service, spanId } of own)
    if (!byId.has(spanId)) faults.push(`a line of ${service} names the span ${spanId}, which is not in the trace`);
  return { spans: spans.length, statements: statements.length, lines: own.length, batch, faults };
}

/** Reads the lines of a log that have a trace. */
export function tracedLines(output: string): readonly TracedLine[] {
  return output.split("\n").flatMap((text) => {
    if (!text.startsWith("{") || !text.includes('"traceId"')) return [];
    const { service, traceId, spanId } = JSON.parse(text);
    return [{ service: String(service), traceId: String(traceId), spanId: String(spanId) }];
  });
}
