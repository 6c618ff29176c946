import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Credits, nextTurn } from "../src/weighted-turns.ts";

const weights = { login: 4, "sign-up": 1, "password-change": 1 } as const;
type Queue = keyof typeof weights;
const all: readonly Queue[] = ["login", "sign-up", "password-change"];

/** The queues of so many turns in a row while these wait. */
function turns(count: number, waiting: readonly Queue[]): Queue[] {
  let credits: Credits<Queue> = new Map();
  return Array.from({ length: count }, () => {
    const turn = nextTurn(weights, credits, waiting);
    if (turn === undefined) throw new Error("no queue has a turn");
    credits = turn.credits;
    return turn.queue;
  });
}

const countOf = (queue: Queue, of: readonly Queue[]) => of.filter((one) => one === queue).length;

describe("weighted turns", () => {
  it("are four for logins, one for sign-ups and one for password changes, spread", () => {
    const taken = turns(60, all);
    expect(all.map((queue) => countOf(queue, taken))).toEqual([40, 10, 10]);
    expect(turns(6, all)).toEqual(["login", "login", "sign-up", "login", "password-change", "login"]);
  });

  it("are all for the one queue that waits, and it saves nothing up meanwhile", () => {
    expect(new Set(turns(20, ["sign-up"]))).toEqual(new Set(["sign-up"]));
    expect(nextTurn(weights, new Map(), ["sign-up"])?.credits.get("sign-up")).toBe(0);
    expect(nextTurn(weights, new Map(), [])).toBeUndefined();
  });

  it("come to each waiting queue by its weight, exactly, in every round", () => {
    const some = fc.record({
      a: fc.integer({ min: 1, max: 9 }),
      b: fc.integer({ min: 1, max: 9 }),
      c: fc.integer({ min: 1, max: 9 }),
    });
    fc.assert(
      fc.property(some, fc.integer({ min: 1, max: 5 }), (of, rounds) => {
        const names = ["a", "b", "c"] as const;
        const counts = { a: 0, b: 0, c: 0 };
        let credits: Credits<"a" | "b" | "c"> = new Map();
        for (let turn = 0; turn < rounds * (of.a + of.b + of.c); turn += 1) {
          const next = nextTurn(of, credits, names);
          if (next === undefined) throw new Error("no queue has a turn");
          counts[next.queue] += 1;
          credits = next.credits;
        }
        expect(counts).toEqual({ a: rounds * of.a, b: rounds * of.b, c: rounds * of.c });
      }),
    );
  });
});
