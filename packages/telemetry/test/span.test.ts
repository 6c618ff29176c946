import { describe, expect, it } from "vitest";
import {
  continueTrace,
  createLogger,
  currentSpan,
  errorWord,
  runForAll,
  runSpan,
  runUnrecorded,
} from "../src/index.ts";
import { recordSpans } from "../src/testing.ts";

const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
const unsampled = parent.replace(/01$/, "00");

function tracingWith(ratio: number) {
  return recordSpans({ ratio });
}

describe("a trace that another process began", () => {
  it("is recorded where its header says so, whatever the ratio here", () => {
    const { tracing, spans } = tracingWith(0);
    const span = tracing.begin("work", { traceparent: parent });
    span?.end();
    expect(span?.traceId).toBe("0af7651916cd43dd8448eb211c80319c");
    expect(spans()[0]?.parentSpanId).toBe("b7ad6b7169203331");
  });

  it("is not recorded where its header says that it is not sampled", () => {
    expect(tracingWith(1).tracing.begin("work", { traceparent: unsampled })).toBeUndefined();
  });

  it.each([
    { ratio: 1, header: unsampled, isRecorded: true },
    { ratio: 0, header: parent, isRecorded: false },
  ])("from outside keeps its id, and is decided here: ratio $ratio", ({ ratio, header, isRecorded }) => {
    const span = tracingWith(ratio).tracing.begin("work", { traceparent: header, isTrusted: false });
    expect(span !== undefined).toBe(isRecorded);
    if (span !== undefined) expect(span.traceId).toBe("0af7651916cd43dd8448eb211c80319c");
    expect(continueTrace(header, { isTrusted: false }).isSampled).toBe(false);
  });
});

describe("work whose trace is not recorded", () => {
  it.each([
    { where: "that another process began", o: { traceparent: unsampled } },
    { where: "that came from outside", o: { traceparent: parent, isTrusted: false } },
    { where: "that begins here", o: { traceparent: undefined } },
    { where: "whose header is not well-formed", o: { traceparent: parent.slice(1) } },
  ])("in a trace $where makes no attributes of a span, and none to export", ({ o }) => {
    const { tracing, spans } = tracingWith(0);
    let asked = 0;
    const start = () => {
      asked += 1;
      return { attributes: { a: 1 } };
    };
    expect(tracing.begin("work", { ...o, start })).toBeUndefined();
    expect({ asked, spans: spans() }).toEqual({ asked: 0, spans: [] });
    tracing.begin("work", { traceparent: parent, start })?.end();
    expect({ asked, spans: spans() }).toMatchObject({ asked: 1, spans: [{ attributes: { a: 1 } }] });
  });

  it("runs outside of the recorded work that it is done with", () => {
    const { tracing } = tracingWith(1);
    const span = tracing.begin("work", { traceparent: undefined });
    const seen = span?.run(() => [runUnrecorded(() => currentSpan()), currentSpan()?.spanId]);
    expect(seen).toEqual([undefined, span?.spanId]);
    expect(runUnrecorded(() => currentSpan())).toBeUndefined();
  });
});

describe("a trace that begins here", () => {
  it("is recorded at the ratio", () => {
    const { tracing } = tracingWith(0.25);
    const recorded = Array.from({ length: 2_000 }, () => tracing.begin("work", { traceparent: undefined }));
    const share = recorded.filter((span) => span !== undefined).length / recorded.length;
    expect(share).toBeGreaterThan(0.15);
    expect(share).toBeLessThan(0.35);
  });
});

describe("work that failed in a trace that is not sampled", () => {
  it("exports its own span alone, under the ids that its log line has, and marked", () => {
    const { tracing, spans } = tracingWith(0);
    const trace = continueTrace(unsampled);
    const failed = { name: "work", kind: "server", trace, traceparent: unsampled } as const;
    expect(tracing.recordFailure({ ...failed, startedAt: Date.now(), attributes: {}, errorType: "internal" })).toBe(
      true,
    );
    expect(spans()[0]).toMatchObject({ traceId: trace.traceId, spanId: trace.spanId });
    expect(spans()[0]?.parentSpanId).toBe("b7ad6b7169203331");
    expect(spans()[0]?.attributes).toMatchObject({ "rialto.sampled_by": "failure", "error.type": "internal" });
  });

  it("keeps the id of a trace that began with it", () => {
    const { tracing, spans } = tracingWith(0);
    const trace = continueTrace();
    const failed = { name: "work", kind: "server", trace, traceparent: undefined } as const;
    tracing.recordFailure({ ...failed, startedAt: Date.now(), attributes: {}, errorType: "internal" });
    expect(spans()[0]?.traceId).toBe(trace.traceId);
  });

  it("is exported for a bounded number each second", () => {
    const { tracing } = tracingWith(0);
    const failed = {
      name: "work",
      kind: "server",
      traceparent: undefined,
      attributes: {},
      errorType: "internal",
    } as const;
    const exported = Array.from({ length: 1_000 }, () =>
      tracing.recordFailure({ ...failed, trace: continueTrace(), startedAt: Date.now() }),
    );
    // The second may change once meanwhile.
    expect(exported.filter((one) => one).length).toBeLessThanOrEqual(100);
  });
});

describe("the span that runs now", () => {
  it("is none outside of recorded work", () => {
    expect(currentSpan()).toBeUndefined();
  });

  it("is kept over awaits, and each chain of work has its own", async () => {
    const { tracing } = tracingWith(1);
    const ids = await Promise.all(
      Array.from({ length: 5 }, async () => {
        const span = tracing.begin("work", { traceparent: undefined });
        if (span === undefined) throw new Error("not recorded");
        return await runSpan(span, async () => {
          await new Promise((resolve) => setImmediate(resolve));
          return [span.spanId, currentSpan()?.spanId];
        });
      }),
    );
    for (const [own, current] of ids) expect(current).toBe(own);
  });

  it("of a batch has the first span as its parent, and is linked to the others", () => {
    const { tracing, spans } = tracingWith(1);
    const [first, second] = [1, 2].map(() => tracing.begin("item", { traceparent: undefined }));
    if (first === undefined || second === undefined) throw new Error("not recorded");
    runForAll([first, second], () => currentSpan()?.child("batch").end());
    expect(spans()[0]?.parentSpanId).toBe(first.spanId);
    expect(spans()[0]?.linkedSpanIds).toEqual([second.spanId]);
  });

  it("is none in a batch of work that is not recorded, even if recorded work started it", () => {
    const { tracing } = tracingWith(1);
    const span = tracing.begin("work", { traceparent: undefined });
    expect(span?.run(() => runForAll([], () => currentSpan()))).toBeUndefined();
    expect(span?.run(() => currentSpan()?.spanId)).toBe(span?.spanId);
  });
});

describe("a span that fails", () => {
  it("says a word of a short list, and nothing of the message", async () => {
    const { tracing, spans } = tracingWith(1);
    const span = tracing.begin("work", { traceparent: undefined });
    if (span === undefined) throw new Error("not recorded");
    const error = Object.assign(new Error("key (email)=(ada@example.com) exists"), { code: "23505" });
    await expect(runSpan(span, () => Promise.reject(error))).rejects.toBe(error);
    expect(spans()[0]?.attributes["error.type"]).toBe("23505");
    expect(JSON.stringify(spans())).not.toContain("ada@");
  });

  it.each([
    [Object.assign(new Error(), { reason: "OUT_OF_STOCK", code: "failed_precondition" }), "OUT_OF_STOCK"],
    [Object.assign(new Error(), { reason: "", code: "canceled" }), "canceled"],
    [Object.assign(new Error(), { reason: "no such user: ada@example.com" }), "Error"],
    [new TypeError("x"), "TypeError"],
    ["text", "unknown"],
  ])("is named by its reason, its code or its class", (error, word) => {
    expect(errorWord(error)).toBe(word);
  });
});

describe("a log line of recorded work", () => {
  function lines(isTraced: boolean) {
    const written: Record<string, unknown>[] = [];
    const destination = { write: (line: string) => void written.push(JSON.parse(line)) };
    return { log: createLogger({ service: "order", destination, isTraced }), written };
  }

  it("has the ids of its trace and span, and keeps those that it was given", () => {
    const { log, written } = lines(true);
    const span = tracingWith(1).tracing.begin("work", { traceparent: undefined });
    span?.run(() => {
      log.info("plain");
      log.child({ traceId: "given" }).child({ requestId: "r-1" }).info("of a call");
      log.info({ traceId: "own" }, "with an id");
    });
    log.info("outside");
    const ids = { traceId: span?.traceId, spanId: span?.spanId };
    expect(written[0]).toMatchObject(ids);
    expect(written[1]).toMatchObject({ traceId: "given" });
    expect(written[2]).toMatchObject({ traceId: "own" });
    expect(written[3]).not.toHaveProperty("traceId");
  });
});
