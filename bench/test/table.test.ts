import { describe, expect, it } from "vitest";
import type { Compared, SideResult } from "../measure/compare.ts";
import { betweenMarkers } from "../report/markers.ts";
import { tableOf } from "../report/table.ts";

const side: SideResult = {
  name: "ours",
  cpuMicroseconds: 40.04,
  perSecond: 20_000.4,
  failures: 0,
  latency: { p50Ms: 0.5, p99Ms: 2, failures: 0, isLate: false },
  loopDelayMs: 12,
  gcPauseMs: 3.21,
};
const compared: Compared = {
  ours: side,
  baseline: { ...side, name: "nginx", latency: undefined, loopDelayMs: undefined, gcPauseMs: undefined },
  ratio: { estimate: 0.853, low: 0.79, high: 0.92 },
  atLeast: 0.8,
  verdict: "undecided",
  kept: 8,
  thrownAway: 0,
  marked: 0,
};

/** The cells of each line below the head. */
function cellsOf(table: string): string[][] {
  const [, , ...lines] = table.split("\n");
  return lines.map((line) =>
    line
      .split("|")
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );
}

describe("the table", () => {
  it("has ours with the ratio, and the baseline below it", () => {
    expect(cellsOf(tableOf([{ row: "gateway", compared }]))).toEqual([
      [
        ...["gateway", "ours", "40.0", "20000", "0.50", "2.00", "12.0", "3.2"],
        ...["0.853 (0.790 to 0.920)", ">= 0.8: not decided", "8"],
      ],
      ["", "nginx", "40.0", "20000", "-", "-", "-", "-", "1", "", ""],
    ]);
  });

  it("says what was thrown away, what was disturbed, and what failed", () => {
    const disturbed = { ...compared, ours: { ...side, failures: 7 }, thrownAway: 5, marked: 1 };
    const [first] = cellsOf(tableOf([{ row: "gateway", compared: disturbed }]));
    expect(first?.at(-1)).toBe("8 (5 thrown away, 1 disturbed)");
    expect(first?.[1]).toBe("ours (7 failed)");
  });

  it("says beside a latency where its load could not be sent in time", () => {
    const late = { ...side, latency: { p50Ms: 0.5, p99Ms: 2, failures: 3, isLate: true } };
    const [first] = cellsOf(tableOf([{ row: "gateway", compared: { ...compared, ours: late } }]));
    expect(first?.[5]).toBe("2.00 (3 failed, load late)");
  });

  it("gives one pair no interval", () => {
    const ratio = { estimate: 2, low: 0, high: Number.POSITIVE_INFINITY };
    expect(tableOf([{ row: "gateway", compared: { ...compared, ratio } }])).toContain("2.00 (one pair)");
  });
});

describe("a page", () => {
  it("gets the table between its markers, again and again", () => {
    const page = "above\n<!-- bench: begin -->\nold\n<!-- bench: end -->\nbelow\n";
    const once = betweenMarkers(page, "new");
    expect(once).toBe("above\n<!-- bench: begin -->\n\nnew\n\n<!-- bench: end -->\nbelow\n");
    expect(betweenMarkers(once, "new")).toBe(once);
  });

  it("without markers is left alone", () => {
    expect(() => betweenMarkers("a page", "new")).toThrow("bench: begin");
  });
});
