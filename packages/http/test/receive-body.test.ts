import type { IncomingMessage } from "node:http";
import { PassThrough } from "node:stream";
import { describe, expect, it } from "vitest";
import { bodyMsLeft, type ReceiveOptions, receiveBody } from "../src/receive-body.ts";

const pace = { ms: 10_000, bytesPerSecond: 4_096, msMax: 28_000 };

describe("the pace of a body", () => {
  it.each([
    [0, 0, 10_000],
    [9_999, 5, 2.2],
    [10_000, 0, 0],
    [12_000, 8_192, 0],
    [12_000, 40_960, 8_000],
    [27_000, 1_000_000, 1_000],
    [28_000, 1_000_000, 0],
  ])("after %d ms, with %d bytes, leaves %d ms", (elapsedMs, bytes, left) => {
    expect(bodyMsLeft({ elapsedMs, bytes }, pace)).toBeCloseTo(left, 0);
  });
});

/** A request as far as it is looked at. */
function request(headers: Record<string, string> = {}) {
  const stream = new PassThrough();
  return { stream, message: Object.assign(stream, { headers }) as unknown as IncomingMessage };
}

function options(
  o: Partial<ReceiveOptions> = {},
): ReceiveOptions & { readonly counted: { bytes: number; isWhole: boolean } } {
  const counted = { bytes: 0, isWhole: false };
  const held = {
    grow(bytes: number) {
      counted.bytes += bytes;
      return counted.bytes <= 100;
    },
    complete() {
      counted.isWhole = true;
    },
  };
  const { signal } = new AbortController();
  return { bytesMax: 1_000, pace, held, gone: signal, evicted: signal, counted, ...o };
}

describe("a body", () => {
  it("is whole when all of it has arrived, and counted until then", async () => {
    const { stream, message } = request();
    const o = options();
    const received = receiveBody(message, o);
    stream.write("one, ");
    await new Promise((resolve) => setImmediate(resolve));
    expect(o.counted).toEqual({ bytes: 5, isWhole: false });
    stream.end("two");
    expect(await received).toEqual({ kind: "whole", bytes: Buffer.from("one, two") });
    expect(o.counted).toEqual({ bytes: 8, isWhole: true });
  });

  it("is refused where it is too large, by its word or by what arrives", async () => {
    expect(await receiveBody(request({ "content-length": "1001" }).message, options())).toEqual({ kind: "too-large" });
    const { stream, message } = request();
    const held = { grow: () => true, complete: () => undefined };
    const received = receiveBody(message, options({ held }));
    stream.write(Buffer.alloc(1_001));
    expect(await received).toEqual({ kind: "too-large" });
  });

  it("is refused where its caller holds too much", async () => {
    const { stream, message } = request();
    const received = receiveBody(message, options());
    stream.write(Buffer.alloc(101));
    expect(await received).toEqual({ kind: "no-memory" });
  });

  it("is refused where it drips, and where it has to give way", async () => {
    const { stream, message } = request();
    const received = receiveBody(message, options({ pace: { ms: 30, bytesPerSecond: 1_000, msMax: 1_000 } }));
    const drip = setInterval(() => stream.write("."), 10);
    expect(await received).toEqual({ kind: "too-slow" });
    clearInterval(drip);
    const evicted = new AbortController();
    const other = receiveBody(request().message, options({ evicted: evicted.signal }));
    evicted.abort();
    expect(await other).toEqual({ kind: "no-memory" });
  });

  it("is nobody's where its client goes away", async () => {
    const gone = new AbortController();
    const received = receiveBody(request().message, options({ gone: gone.signal }));
    gone.abort();
    expect(await received).toEqual({ kind: "gone" });
  });
});
