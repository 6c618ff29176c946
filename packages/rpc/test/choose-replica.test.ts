import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chooseReplica } from "../src/upstream/choose-replica.ts";
import type { BreakerState, GuardedReplica } from "../src/upstream/circuit-breaker.ts";

interface Sketch {
  readonly name: string;
  readonly state?: BreakerState;
  readonly load?: number;
  readonly isLeaving?: boolean;
  readonly isProbed?: boolean;
}

/** What is chosen among replicas, by their names. */
function choices(
  sketches: readonly Sketch[],
  o: { readonly tried?: readonly string[]; readonly isSafe?: boolean; readonly random?: () => number } = {},
): ReadonlyMap<string | undefined, number> {
  const replicas = sketches.map((sketch): GuardedReplica => {
    const { state = "closed", isProbed = false, isLeaving = false } = sketch;
    // The members that a choice reads.
    return {
      ...sketch,
      state: () => state,
      isProbed: () => isProbed,
      replica: { isLeaving: () => isLeaving },
    } as never;
  });
  const sketchOf = (replica: GuardedReplica | undefined) =>
    replica === undefined ? undefined : sketches[replicas.indexOf(replica)];
  const tried = new Set(replicas.filter((replica) => o.tried?.includes(sketchOf(replica)?.name ?? "")));
  const choice = { tried, isSafe: o.isSafe ?? true, loadOf: (replica: GuardedReplica) => sketchOf(replica)?.load ?? 0 };
  const chosen = new Map<string | undefined, number>();
  for (let n = 0; n < 1_000; n += 1) {
    const name = sketchOf(chooseReplica(replicas, { ...choice, random: o.random ?? Math.random }))?.name;
    chosen.set(name, (chosen.get(name) ?? 0) + 1);
  }
  return chosen;
}
const namesOf = (...given: Parameters<typeof choices>) => [...choices(...given).keys()].toSorted();

describe("the choice of a replica", () => {
  it("is the one with fewer calls in flight of two that are drawn at random", () => {
    const three = [
      { name: "a", load: 1 },
      { name: "b", load: 2 },
      { name: "c", load: 3 },
    ];
    const drawn = (first: number, second: number) => {
      const numbers = [first, second];
      return [...choices(three, { random: () => numbers[0] ?? 0 }).keys(), numbers.length];
    };
    expect(drawn(0, 0)[0]).toBe("a");
    const chosen = choices(three);
    // Of the three pairs two have "a", and "c" is the busier one of each.
    expect([...chosen.keys()].toSorted()).toEqual(["a", "b"]);
    expect(chosen.get("a")).toBeGreaterThan(chosen.get("b") ?? 0);
  });

  it("draws all replicas alike where none is busier", () => {
    const chosen = choices([{ name: "a" }, { name: "b" }, { name: "c" }, { name: "d" }]);
    expect(Math.min(...chosen.values())).toBeGreaterThan(150);
    expect(Math.max(...chosen.values())).toBeLessThan(350);
  });

  it("is always one of the replicas, whatever random numbers there are", () => {
    const numbers = fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1 });
    const sizes = fc.integer({ min: 1, max: 70 });
    fc.assert(
      fc.property(numbers, sizes, (given, size) => {
        let next = 0;
        const random = () => given[next++ % given.length] ?? 0;
        const names = namesOf(
          Array.from({ length: size }, (_, n) => ({ name: `${n}` })),
          { random },
        );
        expect(names).not.toContain(undefined);
      }),
      { numRuns: 30 },
    );
  });

  it("leaves out whose breaker is open, and those that are about to stop", () => {
    const some: Sketch[] = [
      { name: "a", state: "open" },
      { name: "b", load: 9 },
      { name: "c", isLeaving: true },
    ];
    expect(namesOf(some)).toEqual(["b"]);
    expect(
      namesOf([
        { name: "a", state: "open" },
        { name: "c", isLeaving: true },
      ]),
    ).toEqual(["c"]);
  });

  it("tries another replica first than one that was tried", () => {
    const two = [{ name: "a" }, { name: "b", load: 9 }];
    expect(namesOf(two, { tried: ["a"] })).toEqual(["b"]);
    expect(namesOf(two, { tried: ["a", "b"] })).toEqual(["a"]);
  });

  it("probes a half-open replica with a call that may be sent again, and with another only where nothing else is left", () => {
    const two: Sketch[] = [
      { name: "a", load: 1 },
      { name: "b", state: "half-open" },
    ];
    expect(namesOf(two, { isSafe: true })).toEqual(["b"]);
    expect(namesOf(two, { isSafe: false })).toEqual(["a"]);
    expect(namesOf(two, { isSafe: false, tried: ["a"] })).toEqual(["b"]);
  });

  it("tries all replicas where all breakers are open, each by one call at a time", () => {
    const open = (name: string, isProbed = false): Sketch => ({ name, state: "open", isProbed });
    expect(namesOf([open("a"), open("b"), open("c")])).toEqual(["a", "b", "c"]);
    expect(namesOf([open("a", true), open("b"), open("c", true)])).toEqual(["b"]);
    expect(namesOf([open("a", true), open("b", true)])).toEqual([undefined]);
  });

  it("is none where no replica is known", () => {
    expect(namesOf([])).toEqual([undefined]);
  });
});
