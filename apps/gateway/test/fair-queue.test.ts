import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createFairQueue, type FairQueue } from "../src/admission/fair-queue.ts";

const there = () => false;

/** Enters the queue, and records the key when the request starts. */
async function enter(queue: FairQueue, key: string, started: string[], isGone = there): Promise<void> {
  const place = queue.enter(key, isGone);
  if (place.kind === "now" || (place.kind === "waiting" && (await place.started))) started.push(key);
}

describe("a request", () => {
  it("starts at once while few arrive", () => {
    expect(createFairQueue({ perTurn: 2 }).enter("ada", there)).toEqual({ kind: "now" });
  });

  it("waits for one request of another address, and not for the thousand that came before it", async () => {
    const queue = createFairQueue({ perTurn: 2 });
    const started: string[] = [];
    const all = Array.from({ length: 1_000 }, () => enter(queue, "mallory", started));
    all.push(enter(queue, "ada", started));
    await Promise.all(all);
    expect(started.indexOf("ada")).toBeLessThanOrEqual(4);
    expect(started).toHaveLength(1_001);
  });

  it("of each address starts in turn", async () => {
    const queue = createFairQueue({ perTurn: 1 });
    const started: string[] = [];
    await Promise.all(["a", "a", "a", "b", "b", "c"].map((key) => enter(queue, key, started)));
    expect(started).toEqual(["a", "a", "b", "c", "a", "b"]);
  });

  it("whose client is gone does not start", async () => {
    const queue = createFairQueue({ perTurn: 1 });
    const started: string[] = [];
    await Promise.all([
      enter(queue, "a", started),
      ...Array.from({ length: 50 }, () => enter(queue, "b", started, () => true)),
      enter(queue, "b", started),
    ]);
    expect(started).toEqual(["a", "b"]);
  });

  it("is refused while its address has as many waiting as one may have, and others are not", async () => {
    const queue = createFairQueue({ perTurn: 1 });
    const kinds = Array.from({ length: 3_000 }, () => queue.enter("mallory", there).kind);
    expect(kinds.filter((kind) => kind === "full")).toHaveLength(999);
    expect(queue.enter("ada", there).kind).toBe("waiting");
  });

  it("starts at once again when no other waits", async () => {
    const queue = createFairQueue({ perTurn: 1 });
    await Promise.all([enter(queue, "a", []), enter(queue, "a", [])]);
    await nextTurn();
    await nextTurn();
    expect(queue.enter("b", there)).toEqual({ kind: "now" });
  });
});
