import { describe, expect, it } from "vitest";
import { createLoop } from "../src/index.ts";

/** A loop whose rounds the test ends one by one, and what it did. */
function observed(idleMs: number) {
  const rounds: PromiseWithResolvers<"more" | "done">[] = [];
  const failures: number[] = [];
  let inRow = 0;
  const loop = createLoop({
    idleMs,
    outage: {
      failed() {
        inRow += 1;
        failures.push(inRow);
        return inRow;
      },
      recovered() {
        inRow = 0;
      },
    },
    round() {
      const round = Promise.withResolvers<"more" | "done">();
      rounds.push(round);
      return round.promise;
    },
  });
  const begun = (count: number) => expect.poll(() => rounds.length).toBe(count);
  return { loop, rounds, failures, begun };
}

const hourMs = 3_600_000;

describe("a loop", () => {
  it("goes on at once while there is more, and waits when there is none until it is woken", async () => {
    const { loop, rounds, begun } = observed(hourMs);
    loop.start();
    loop.start();
    await begun(1);
    rounds[0]?.resolve("more");
    await begun(2);
    rounds[1]?.resolve("done");
    await new Promise((resolve) => setImmediate(resolve));
    expect(rounds).toHaveLength(2);
    loop.wake();
    await begun(3);
    rounds[2]?.resolve("done");
    await loop.stop();
  });

  it("does not wait where it was woken during a round", async () => {
    const { loop, rounds, begun } = observed(hourMs);
    loop.start();
    await begun(1);
    loop.wake();
    rounds[0]?.resolve("done");
    await begun(2);
    rounds[1]?.resolve("done");
    await loop.stop();
  });

  it("polls after its idle time", async () => {
    const { loop, rounds, begun } = observed(5);
    loop.start();
    await begun(1);
    rounds[0]?.resolve("done");
    await begun(2);
    rounds[1]?.resolve("done");
    await loop.stop();
  });

  it("tries a round that failed again, and counts the failures in a row", async () => {
    const { loop, rounds, failures, begun } = observed(hourMs);
    loop.start();
    await begun(1);
    rounds[0]?.reject(new Error("down"));
    await begun(2);
    rounds[1]?.reject(new Error("down"));
    await begun(3);
    rounds[2]?.resolve("more");
    await begun(4);
    rounds[3]?.reject(new Error("down"));
    await begun(5);
    expect(failures).toEqual([1, 2, 1]);
    rounds[4]?.resolve("done");
    await loop.stop();
  });

  it("ends after the round that is under way when it is stopped", async () => {
    const { loop, rounds, begun } = observed(5);
    loop.start();
    await begun(1);
    const stopped = loop.stop();
    rounds[0]?.resolve("more");
    await stopped;
    expect(rounds).toHaveLength(1);
  });
});
