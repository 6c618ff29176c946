import { describe, expect, it } from "vitest";
import { parseVegeta, parseWrk } from "../load/http-load.ts";
import { parsePgbench, percentilesOf } from "../load/pgbench-load.ts";
import { keyMark, type Plan, planAsLua, planAsTargets } from "../load/plan.ts";

const reads: Plan = [
  { method: "GET", path: "/one", headers: {} },
  { method: "GET", path: "/two", headers: {} },
];
const order: Plan = [
  {
    method: "POST",
    path: "/orders",
    headers: { "idempotency-key": keyMark, authorization: 'Bearer "\\' },
    body: Buffer.from([0x0a, 0xff, 0x22]),
  },
];

describe("the result of a closed loop", () => {
  it("counts no refusal as an answer", () => {
    const line = 'BENCH {"requests":100,"refused":30,"errors":2,"seconds":1.5,"p50Ms":1.25,"p99Ms":9}\n';
    expect(parseWrk(`Running 1s test\n${line}Requests/sec: 1\n`)).toEqual({
      operations: 70,
      failures: 32,
      seconds: 1.5,
      p50Ms: 1.25,
      p99Ms: 9,
    });
  });

  it("is missed by name where wrk printed none", () => {
    expect(() => parseWrk("unable to connect")).toThrow("unable to connect");
  });
});

/** A line of vegeta's results, of which the first three fields are read. */
function line({ atMs, status, ms }: { readonly atMs: number; readonly status: number; readonly ms: number }): string {
  return `${1.7e18 + atMs * 1e6},${status},${ms * 1e6},0,0,,aGVsbG8=,,0,POST,http://127.0.0.1/,`;
}

describe("the result of an open loop", () => {
  it("counts answers of 2xx and 3xx, and everything else as failed", () => {
    const statuses = [200, 200, 0, 304, 503, 200, 503, 200, 503, 200];
    const lines = statuses.map((status, index) => line({ atMs: 1_000 + index * 100, status, ms: index + 1 }));
    const results = [line({ atMs: 0, status: 200, ms: 1 }), ...lines].join("\n");
    expect(parseVegeta(`${results}\n`)).toMatchObject({ operations: 6, failures: 4, p50Ms: 6, p99Ms: 10 });
    expect(parseVegeta(results).seconds).toBeCloseTo(0.9);
  });

  it("does not count the first second, in which the connections are made", () => {
    const late = Array.from({ length: 100 }, (_, index) => line({ atMs: index * 9, status: 200, ms: 900 }));
    const then = Array.from({ length: 100 }, (_, index) => line({ atMs: 1_000 + index * 10, status: 200, ms: 2 }));
    expect(parseVegeta([...late, ...then].join("\n"))).toMatchObject({ operations: 100, failures: 0, p99Ms: 2 });
  });
});

describe("the result of pgbench", () => {
  it("has what was processed, what failed, and for how long it ran", () => {
    const output = [
      "number of transactions actually processed: 5000",
      "number of failed transactions: 3 (0.060%)",
      "latency average = 6.4 ms",
      "initial connection time = 10 ms",
      "tps = 2500.000000 (without initial connection time)",
    ].join("\n");
    expect(parsePgbench(output)).toMatchObject({ operations: 5_000, failures: 3, seconds: 2 });
    expect(() => parsePgbench("connection refused")).toThrow("connection refused");
  });

  it("has the latencies of an open loop in its log, since each transaction was due", () => {
    const line = (index: number) => `0 ${index} ${(100 - index) * 1_000} 0 1795806273 325 ${index}`;
    const log = `${Array.from({ length: 100 }, (_, index) => line(index)).join("\n")}\n`;
    expect(percentilesOf(log)).toEqual({ p50Ms: 51, p99Ms: 100 });
  });
});

describe("a plan", () => {
  it("is Lua whose strings hold any byte", () => {
    const lua = planAsLua(order);
    expect(lua).toContain('body="\\010\\255\\034"');
    expect(lua).toContain('["authorization"]="Bearer \\034\\092"');
    expect(lua).toMatch(/^return\{seed="[0-9a-f-]{36}",requests=\{\{method="POST",path="/);
  });

  it("is as many targets as it has requests, each on a line of its own", () => {
    const targets = planAsTargets(reads, "http://127.0.0.1:1", 100);
    expect(targets.endsWith("\n")).toBe(true);
    expect(
      targets
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).url),
    ).toEqual(["http://127.0.0.1:1/one", "http://127.0.0.1:1/two"]);
  });

  it("has a key of its own for each request of an open loop", () => {
    const lines = planAsTargets(order, "http://127.0.0.1:1", 3).trim().split("\n");
    const targets = lines.map((line) => JSON.parse(line));
    expect(new Set(targets.map(({ header }) => header["idempotency-key"][0])).size).toBe(3);
    expect(Buffer.from(targets[0].body, "base64")).toEqual(Buffer.from([0x0a, 0xff, 0x22]));
  });
});
