import { createLogger, currentSpan, type RecordedSpan } from "@rialto/telemetry";
import { type EndedSpan, recordSpans } from "@rialto/telemetry/testing";
import { v7 as uuidv7 } from "uuid";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { backends, type Fixture, openFixture, topic, until } from "./fixture.ts";

describe.each(backends)("events on %s", (backend) => {
  const { tracing, spans } = recordSpans({ ratio: 0 });
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({ service: "desk", destination: { write: (line) => void lines.push(JSON.parse(line)) } });
  let fixture: Fixture;
  beforeAll(async () => {
    fixture = await openFixture(backend, undefined, tracing, log);
  });
  afterEach(() => fixture.rest());
  afterAll(() => fixture.stop());

  /** A recorded request that published something. */
  function request(): RecordedSpan {
    const span = tracing.beginTrace("request", {});
    span.end();
    return span;
  }
  const named = (name: string, traceId?: string): readonly EndedSpan[] =>
    spans().filter((span) => span.name === name && (traceId === undefined || span.traceId === traceId));
  const processed = `process ${topic}`;

  it("are sent and processed in the trace of the request that published them", async () => {
    const seen: (string | undefined)[] = [];
    await fixture.subscription("one", {
      async handle(event) {
        seen.push(event.traceparent, currentSpan()?.traceparent);
      },
    });
    const { traceId, spanId, traceparent } = request();
    const subject = uuidv7();
    const id = await fixture.publish(subject, 1, topic, traceparent);
    fixture.relay();
    await fixture.settled();
    const [send] = named(`send ${topic}`, traceId);
    const [process] = named(processed, traceId);
    const [receive] = named("receive one", traceId);
    expect(send).toMatchObject({ kind: "producer", parentSpanId: spanId });
    expect(process).toMatchObject({ kind: "consumer", parentSpanId: send?.spanId });
    expect(receive).toMatchObject({ kind: "consumer", linkedSpanIds: [process?.spanId] });
    expect(process?.attributes).toMatchObject({
      "messaging.system.name": "bullmq",
      "messaging.operation.name": "process",
      "messaging.operation.type": "process",
      "messaging.destination.name": topic,
      "messaging.destination.subscription.name": "one",
      "messaging.message.id": id,
      "rialto.shop.id": subject,
    });
    // What the handler calls is below its own span.
    expect(new Set(seen)).toEqual(new Set([`00-${traceId}-${process?.spanId}-01`]));
  });

  it("of a batch of 50 are each processed in their own trace, and the span of the job is linked to them", async () => {
    await fixture.subscription("many", { handle: async () => undefined });
    const requests = Array.from({ length: 50 }, () => request());
    for (const { traceparent } of requests) await fixture.publish(uuidv7(), 1, topic, traceparent);
    fixture.relay();
    await fixture.settled();
    const own = requests.map(({ traceId }) => named(processed, traceId));
    expect(own.map((of) => of.length)).toEqual(requests.map(() => 1));
    for (const [n, { traceId }] of requests.entries())
      expect(own[n]?.[0]?.parentSpanId).toBe(named(`send ${topic}`, traceId)[0]?.spanId);
    const jobs = named("receive many");
    const linked = jobs.flatMap(({ linkedSpanIds }) => linkedSpanIds);
    expect(new Set(linked)).toEqual(new Set(own.map(([span]) => span?.spanId)));
    expect(jobs.some(({ linkedSpanIds }) => linkedSpanIds.length === 50)).toBe(true);
  });

  it("of a job whose others are recorded are handled outside of any span where their own trace is not", async () => {
    const seen = new Map<string, string | undefined>();
    await fixture.subscription("mixed", {
      async handle({ id }) {
        seen.set(id, currentSpan()?.traceId);
      },
    });
    const { traceId, traceparent } = request();
    const recorded = await fixture.publish(uuidv7(), 1, topic, traceparent);
    const unsampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";
    const others: string[] = [];
    for (let n = 0; n < 9; n += 1) others.push(await fixture.publish(uuidv7(), 1, topic, unsampled));
    fixture.relay();
    await fixture.settled();
    expect(named("receive mixed")).toMatchObject([
      { attributes: { "messaging.batch.message_count": 10 }, linkedSpanIds: [named(processed, traceId)[0]?.spanId] },
    ]);
    expect(seen.get(recorded)).toBe(traceId);
    expect(others.map((id) => [seen.has(id), seen.get(id)])).toEqual(others.map(() => [true, undefined]));
  });

  it("have one more processing span for each try, in the same trace, with the log line of its failure", async () => {
    let tries = 0;
    await fixture.subscription("failing", {
      async handle() {
        tries += 1;
        if (tries === 1) throw new TypeError("of ada@example.com");
      },
    });
    const { traceId, traceparent } = request();
    await fixture.publish(uuidv7(), 1, topic, traceparent);
    fixture.relay();
    await until("it was handled again", async () => named(processed, traceId).length === 2);
    expect(named(processed, traceId).map(({ isFailed }) => isFailed)).toEqual([true, false]);
    const [failed] = named(processed, traceId);
    expect(failed?.attributes["error.type"]).toBe("TypeError");
    expect(lines.filter((line) => line.traceId === traceId)).toMatchObject([{ level: "warn", spanId: failed?.spanId }]);
    expect(JSON.stringify(spans())).not.toContain("ada@");
  });

  it("of a trace that is not sampled have no spans unless they fail, which is exported alone", async () => {
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    const traceparent = `00-${traceId}-b7ad6b7169203331-00`;
    let fails = false;
    await fixture.subscription("unsampled", {
      async handle() {
        if (fails) throw new TypeError("of ada@example.com");
      },
    });
    fixture.relay();
    await fixture.publish(uuidv7(), 1, topic, traceparent);
    await fixture.settled();
    expect(spans().filter((span) => span.traceId === traceId)).toEqual([]);
    fails = true;
    await fixture.publish(uuidv7(), 1, topic, traceparent);
    await until("its span is exported", async () => named(processed, traceId).length > 0);
    expect(named(processed, traceId)[0]).toMatchObject({
      parentSpanId: "b7ad6b7169203331",
      isFailed: true,
      attributes: { "rialto.sampled_by": "failure" },
    });
    const [failed] = named(processed, traceId);
    await until("it is in the log", async () => lines.some((line) => line.spanId === failed?.spanId));
  });
});
