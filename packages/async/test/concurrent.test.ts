import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { forEachConcurrently } from "../src/index.ts";

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("forEachConcurrently", () => {
  it("works on each item once, in order, and on no more than its bound at a time", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.nat({ max: 3 }), { maxLength: 20 }),
        fc.integer({ min: 1, max: 5 }),
        async (turns, max) => {
          const started: number[] = [];
          let running = 0;
          let most = 0;
          const { signal } = new AbortController();
          await forEachConcurrently(turns.entries(), { max, signal }, async ([n, count]) => {
            started.push(n);
            running += 1;
            most = Math.max(most, running);
            for (let left = count; left > 0; left -= 1) await turn();
            running -= 1;
          });
          expect(started).toEqual(turns.map((_, n) => n));
          expect(most).toBeLessThanOrEqual(max);
          expect(running).toBe(0);
        },
      ),
      { numRuns: 50 },
    );
  });

  it("starts no further item once its signal aborts", async () => {
    const stopping = new AbortController();
    const started: number[] = [];
    await forEachConcurrently([1, 2, 3, 4], { max: 2, signal: stopping.signal }, async (item) => {
      started.push(item);
      if (item === 2) stopping.abort();
      await turn();
    });
    expect(started).toEqual([1, 2]);
  });

  it("rejects where the work does", async () => {
    const { signal } = new AbortController();
    const work = () => Promise.reject(new Error("broken"));
    await expect(forEachConcurrently([1], { max: 2, signal }, work)).rejects.toThrow("broken");
  });
});
