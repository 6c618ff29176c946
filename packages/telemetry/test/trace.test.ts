import { describe, expect, it } from "vitest";
import { continueTrace } from "../src/index.ts";
import { heapBytes } from "./heap-bytes.ts";

const traceIdOfParent = "0af7651916cd43dd8448eb211c80319c";
const parent = `00-${traceIdOfParent}-b7ad6b7169203331-01`;

describe("continueTrace", () => {
  it("keeps the trace of the caller and takes a span of its own", () => {
    const trace = continueTrace(parent);
    expect(trace.traceId).toBe("0af7651916cd43dd8448eb211c80319c");
    expect(trace.traceparent).toMatch(/^00-0af7651916cd43dd8448eb211c80319c-[0-9a-f]{16}-01$/);
    expect(trace.traceparent).not.toBe(parent);
  });

  it("hands on the caller's choice not to be sampled", () => {
    expect(continueTrace(parent.replace(/01$/, "00")).traceparent).toMatch(/-00$/);
  });

  it.each([
    undefined,
    "",
    "nonsense",
    parent.toUpperCase(),
    parent.replace("00-", "ff-"),
    `${parent}-extra`,
    "00-00000000000000000000000000000000-b7ad6b7169203331-01",
    "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
  ])("begins a new trace where %j is given", (header) => {
    const trace = continueTrace(header);
    expect(trace.traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-00$/);
    expect(continueTrace(header, { sample: () => true }).traceparent).toMatch(/-01$/);
    expect(trace.traceId).not.toBe("0af7651916cd43dd8448eb211c80319c");
    expect(continueTrace(header).traceId).not.toBe(trace.traceId);
  });

  it("gives every span that continues a new trace another id than the first", () => {
    const { traceparent } = continueTrace();
    const spans = new Set([
      traceparent,
      continueTrace(traceparent).traceparent,
      continueTrace(traceparent).traceparent,
    ]);
    expect(spans.size).toBe(3);
  });

  it("holds nothing of what a later version has behind the ids", () => {
    const chars = 256 * 1024;
    const before = heapBytes();
    const traces = Array.from({ length: 16 }, (_, byte) => {
      const header = Buffer.alloc(chars, byte.toString(16));
      header.write(`${parent.replace("00-", "01-")}-`);
      return continueTrace(header.toString());
    });
    expect(heapBytes() - before).toBeLessThan(8 * chars);
    expect(new Set(traces.map(({ traceId }) => traceId))).toEqual(new Set([traceIdOfParent]));
  });

  it("continues a later version of the header", () => {
    expect(continueTrace(`${parent.replace("00-", "01-")}-more`).traceId).toBe("0af7651916cd43dd8448eb211c80319c");
  });
});
