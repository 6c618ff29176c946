import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Bulkhead, BulkheadFull, createBulkhead, createWeightedBulkheads } from "../src/index.ts";

const settle = () => new Promise((resolve) => setImmediate(resolve));
const nameOf = (error: unknown) => (error instanceof Error ? error.name : String(error));

/** Callers of one bulkhead: who got a slot, in order, and how each gives it back. */
function callersOf(bulkhead: Bulkhead) {
  const granted: string[] = [];
  const releases: (() => void)[] = [];
  const ask = (name: string, o: Parameters<Bulkhead["acquire"]>[0] = {}) =>
    bulkhead.acquire(o).then(
      (release) => {
        granted.push(name);
        releases.push(release);
        return "granted";
      },
      (error: unknown) => (error instanceof BulkheadFull ? "full" : nameOf(error)),
    );
  async function releaseFirst() {
    releases.shift()?.();
    await settle();
  }
  return { granted, ask, releaseFirst };
}

describe("a bulkhead", () => {
  it("lets so many in at once, the next in turn, and refuses those beyond its queue", async () => {
    const { granted, ask, releaseFirst } = callersOf(createBulkhead({ max: 2, waitingMax: 2 }));
    const asked = ["a", "b", "c", "d", "e"].map((name) => ask(name));
    await settle();
    expect(granted).toEqual(["a", "b"]);
    expect(await asked[4]).toBe("full");
    await releaseFirst();
    await releaseFirst();
    expect(granted).toEqual(["a", "b", "c", "d"]);
  });

  it("gives a slot at once to who does not wait, while one is free and no one waits for it", async () => {
    const bulkhead = createBulkhead({ max: 1, waitingMax: 1 });
    const { granted, ask } = callersOf(bulkhead);
    const release = bulkhead.tryAcquire();
    expect(bulkhead.tryAcquire()).toBeUndefined();
    void ask("waits");
    release?.();
    expect(bulkhead.tryAcquire()).toBeUndefined();
    await settle();
    expect(granted).toEqual(["waits"]);
  });

  it("refuses at once where nothing may wait", async () => {
    const { ask, releaseFirst } = callersOf(createBulkhead({ max: 1, waitingMax: 0 }));
    expect([await ask("a"), await ask("b")]).toEqual(["granted", "full"]);
    await releaseFirst();
    expect(await ask("c")).toBe("granted");
  });

  it("gives the place of a caller who leaves while waiting to another at once", async () => {
    const { granted, ask, releaseFirst } = callersOf(createBulkhead({ max: 1, waitingMax: 1 }));
    const leaving = new AbortController();
    await ask("first");
    const left = ask("left", { signal: leaving.signal });
    expect(await ask("too many")).toBe("full");
    leaving.abort(new RangeError("gone"));
    expect(await left).toBe("RangeError");
    const last = ask("last");
    await releaseFirst();
    expect([await last, granted]).toEqual(["granted", ["first", "last"]]);
    expect(await ask("never", { signal: leaving.signal })).toBe("RangeError");
  });

  it("gives parties turns, and refuses the party with the most first", async () => {
    const { granted, ask, releaseFirst } = callersOf(createBulkhead({ max: 1, waitingMax: 10 }));
    await ask("first");
    const many = Array.from({ length: 20 }, (_, n) => ask(`many ${n}`, { party: "many" }));
    const few = ask("few", { party: "few" });
    await settle();
    await releaseFirst();
    await releaseFirst();
    expect(granted).toEqual(["first", "many 0", "few"]);
    expect(await few).toBe("granted");
    // 70 % of the queue is for one party where it is alone.
    for (let count = 0; count < 10; count += 1) await releaseFirst();
    const outcomes = await Promise.all(many);
    expect(outcomes.filter((outcome) => outcome === "granted")).toHaveLength(7);
  });

  it("releases a slot once, however often its release is called", async () => {
    const bulkhead = createBulkhead({ max: 1, waitingMax: 5 });
    const release = await bulkhead.acquire();
    const second = bulkhead.acquire();
    const third = bulkhead.acquire();
    let hasThird = false;
    void third.then(() => {
      hasThird = true;
    });
    release();
    release();
    await second;
    await settle();
    expect(hasThird).toBe(false);
  });

  it("runs work with a slot, and frees it when the work fails", async () => {
    const bulkhead = createBulkhead({ max: 1, waitingMax: 5 });
    const failed = bulkhead.run(() => Promise.reject(new Error("broken")));
    const next = bulkhead.run(async () => "done");
    await expect(failed).rejects.toThrow("broken");
    expect(await next).toBe("done");
  });

  it("never lets in more than its slots nor keeps one idle while callers wait, however they come and leave", async () => {
    const steps = fc.array(
      fc.record({
        kind: fc.constantFrom("acquire", "acquire", "release", "abort"),
        queue: fc.constantFrom("fast", "slow"),
        party: fc.constantFrom("one", "two", undefined),
        at: fc.nat({ max: 9 }),
      }),
      { maxLength: 60 },
    );
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 3 }), steps, async (max, all) => {
        const bulkheads = createWeightedBulkheads({
          max,
          queues: { fast: { weight: 3, waitingMax: 4 }, slow: { weight: 1, waitingMax: 2 } },
        });
        const held: (() => void)[] = [];
        const waiting = new Set<AbortController>();
        let outcomes = 0;
        let asked = 0;
        for (const { kind, queue, party, at } of all) {
          if (kind === "acquire") {
            const leaving = new AbortController();
            waiting.add(leaving);
            asked += 1;
            void bulkheads[queue]
              .acquire({ signal: leaving.signal, party })
              .then(
                (release) => held.push(release),
                () => undefined,
              )
              .then(() => {
                waiting.delete(leaving);
                outcomes += 1;
              });
          } else if (kind === "release") held.splice(at, 1)[0]?.();
          else [...waiting][at]?.abort();
          await settle();
          expect(held.length).toBeLessThanOrEqual(max);
          if (waiting.size > 0) expect(held.length).toBe(max);
        }
        while (held.length > 0) {
          held.pop()?.();
          await settle();
        }
        expect([outcomes, waiting.size]).toEqual([asked, 0]);
      }),
    );
  });
});

describe("bulkheads that share slots", () => {
  it("take turns by weight, and no number of callers of one keeps the other waiting", async () => {
    const bulkheads = createWeightedBulkheads({
      max: 1,
      queues: { fast: { weight: 2, waitingMax: 50 }, slow: { weight: 1, waitingMax: 50 } },
    });
    const granted: string[] = [];
    const run = (name: "fast" | "slow") => bulkheads[name].run(async () => void granted.push(name));
    const runs = [...Array.from({ length: 12 }, () => run("slow")), ...Array.from({ length: 4 }, () => run("fast"))];
    await Promise.all(runs);
    expect(granted.slice(0, 7)).toEqual(["slow", "fast", "slow", "fast", "fast", "slow", "fast"]);
    expect(granted).toHaveLength(16);
  });

  it("refuse the callers of the full queue only", async () => {
    const bulkheads = createWeightedBulkheads({
      max: 1,
      queues: { fast: { weight: 2, waitingMax: 1 }, slow: { weight: 1, waitingMax: 0 } },
    });
    const release = await bulkheads.slow.acquire();
    await expect(bulkheads.slow.acquire()).rejects.toThrow(BulkheadFull);
    const next = bulkheads.fast.acquire();
    release();
    expect(await next).toBeTypeOf("function");
  });
});
