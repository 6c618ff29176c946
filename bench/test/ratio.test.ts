import { describe, expect, it } from "vitest";
import { median, ratioOf, verdictOf } from "../measure/ratio.ts";

describe("the ratio of pairs", () => {
  it("is how many times cheaper the first side is", () => {
    expect(
      ratioOf([
        [10, 20],
        [10, 20],
      ]),
    ).toEqual({ estimate: 2, low: 2, high: 2 });
  });

  it("is the geometric mean: twice as cheap and twice as dear are one", () => {
    expect(
      ratioOf([
        [10, 20],
        [20, 10],
      ]).estimate,
    ).toBeCloseTo(1);
  });

  it("is not disturbed by what makes both rounds of a pair dear", () => {
    expect(
      ratioOf([
        [10, 20],
        [70, 140],
        [13, 26],
      ]),
    ).toEqual({ estimate: expect.closeTo(2), low: expect.closeTo(2), high: expect.closeTo(2) });
  });

  it("has Student's interval over the logarithms", () => {
    // Logarithms -0.1, 0 and 0.1: standard error 0.1 / sqrt(3), t of two degrees of freedom 4.303.
    const { low, high } = ratioOf([-0.1, 0, 0.1].map((log) => [1, Math.exp(log)]));
    expect(Math.log(high)).toBeCloseTo((4.303 * 0.1) / Math.sqrt(3));
    expect(Math.log(low)).toBeCloseTo(-(4.303 * 0.1) / Math.sqrt(3));
  });

  it("covers the true ratio in about 95 of 100 runs with noise", () => {
    const random = seeded(7);
    const noise = () => Math.exp((random() + random() + random() - 1.5) / 3);
    let covered = 0;
    for (let run = 0; run < 1_000; run += 1) {
      const { low, high } = ratioOf(Array.from({ length: 8 }, () => [10 * noise(), 20 * noise()]));
      if (low <= 2 && 2 <= high) covered += 1;
    }
    expect(covered).toBeGreaterThan(930);
    expect(covered).toBeLessThan(970);
  });

  it("is open at both ends where there is one pair", () => {
    expect(ratioOf([[10, 20]])).toEqual({ estimate: 2, low: 0, high: Number.POSITIVE_INFINITY });
  });

  it.each([[[]], [[[0, 1]]], [[[1, 0]]], [[[Number.NaN, 1]]]] as [number, number][][][])(
    "of %j is refused",
    (pairs) => {
      expect(() => ratioOf(pairs)).toThrow();
    },
  );
});

describe("a threshold", () => {
  const ratio = { estimate: 1, low: 0.9, high: 1.1 };

  it.each([
    [0.8, "met"],
    [0.9, "met"],
    [1, "undecided"],
    [1.1, "undecided"],
    [1.2, "missed"],
  ] as const)("of %d is %s where the interval is 0.9 to 1.1", (atLeast, verdict) => {
    expect(verdictOf(ratio, atLeast)).toBe(verdict);
  });

  it("is not decided by one pair", () => {
    expect(verdictOf(ratioOf([[10, 20]]), 0.1)).toBe("undecided");
  });
});

describe("the median", () => {
  it.each([
    [[3, 1, 2], 2],
    [[4, 1, 2, 3], 2.5],
    [[1], 1],
    [[], Number.NaN],
  ])("of %j is %d", (values, expected) => {
    expect(median(values)).toBe(expected);
  });
});

/** Mulberry32: the same numbers on every machine. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
