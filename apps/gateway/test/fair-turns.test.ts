import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createFairTurns, type FairTurns } from "../src/admission/fair-turns.ts";

const there = () => false;

/** Asks for a turn, and writes down the asker when it comes. */
async function ask(turns: FairTurns, asker: string, began: string[], isGone = there): Promise<void> {
  const turn = turns.ask(asker, isGone);
  if (turn.kind === "now" || (turn.kind === "later" && (await turn.began))) began.push(asker);
}

describe("a request", () => {
  it("begins at once where few come", () => {
    expect(createFairTurns({ perTurn: 2 }).ask("ada", there)).toEqual({ kind: "now" });
  });

  it("waits for one request of another asker, and not for the thousand that came before it", async () => {
    const turns = createFairTurns({ perTurn: 2 });
    const began: string[] = [];
    const all = Array.from({ length: 1_000 }, () => ask(turns, "mallory", began));
    all.push(ask(turns, "ada", began));
    await Promise.all(all);
    expect(began.indexOf("ada")).toBeLessThanOrEqual(4);
    expect(began).toHaveLength(1_001);
  });

  it("of each asker has its turn, one after the other", async () => {
    const turns = createFairTurns({ perTurn: 1 });
    const began: string[] = [];
    await Promise.all(["a", "a", "a", "b", "b", "c"].map((asker) => ask(turns, asker, began)));
    expect(began).toEqual(["a", "a", "b", "c", "a", "b"]);
  });

  it("whose client is gone takes no turn", async () => {
    const turns = createFairTurns({ perTurn: 1 });
    const began: string[] = [];
    await Promise.all([
      ask(turns, "a", began),
      ...Array.from({ length: 50 }, () => ask(turns, "b", began, () => true)),
      ask(turns, "b", began),
    ]);
    expect(began).toEqual(["a", "b"]);
  });

  it("is refused where its asker has as many waiting as one may have, and nobody else is", async () => {
    const turns = createFairTurns({ perTurn: 1 });
    const kinds = Array.from({ length: 3_000 }, () => turns.ask("mallory", there).kind);
    expect(kinds.filter((kind) => kind === "full")).toHaveLength(999);
    expect(turns.ask("ada", there).kind).toBe("later");
  });

  it("begins at once again when nobody waits any more", async () => {
    const turns = createFairTurns({ perTurn: 1 });
    await Promise.all([ask(turns, "a", []), ask(turns, "a", [])]);
    await nextTurn();
    await nextTurn();
    expect(turns.ask("b", there)).toEqual({ kind: "now" });
  });
});
