import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { createFairQueue, type FairQueue } from "../src/admission/fair-queue.ts";

const there = () => false;

const request = { isGone: there, start: () => undefined };

/** Enters the queue, and records the key when the request starts. */
function enter(queue: FairQueue, key: string, started: string[], isGone = there): void {
  const start = () => void started.push(key);
  if (queue.enter(key, { isGone, start }) === "now") start();
}

/** Resolves when so many requests have started. */
async function until(started: readonly string[], count: number): Promise<void> {
  while (started.length < count) await nextTurn();
}

describe("a request", () => {
  it("starts at once while few arrive", () => {
    expect(createFairQueue({ perTurn: 2 }).enter("ada", request)).toBe("now");
  });

  it("waits for one request of another address, and not for the thousand that came before it", async () => {
    const queue = createFairQueue({ perTurn: 2 });
    const started: string[] = [];
    for (let count = 0; count < 1_000; count += 1) enter(queue, "mallory", started);
    enter(queue, "ada", started);
    await until(started, 1_001);
    expect(started.indexOf("ada")).toBeLessThanOrEqual(4);
  });

  it("of each address starts in turn", async () => {
    const queue = createFairQueue({ perTurn: 1 });
    const started: string[] = [];
    for (const key of ["a", "a", "a", "b", "b", "c"]) enter(queue, key, started);
    await until(started, 6);
    expect(started).toEqual(["a", "a", "b", "c", "a", "b"]);
  });

  it("whose client is gone does not start", async () => {
    const queue = createFairQueue({ perTurn: 1 });
    const started: string[] = [];
    enter(queue, "a", started);
    for (let count = 0; count < 50; count += 1) enter(queue, "b", started, () => true);
    enter(queue, "b", started);
    await until(started, 2);
    await nextTurn();
    expect(started).toEqual(["a", "b"]);
  });

  it("is refused while its address has as many waiting as one may have, and others are not", async () => {
    const queue = createFairQueue({ perTurn: 1 });
    const kinds = Array.from({ length: 3_000 }, () => queue.enter("mallory", request));
    expect(kinds.filter((kind) => kind === "full")).toHaveLength(999);
    expect(queue.enter("ada", request)).toBe("waiting");
  });

  it("starts at once again when no other waits", async () => {
    const queue = createFairQueue({ perTurn: 1 });
    const started: string[] = [];
    for (const key of ["a", "a"]) enter(queue, key, started);
    await until(started, 2);
    await nextTurn();
    await nextTurn();
    expect(queue.enter("b", request)).toBe("now");
  });
});
