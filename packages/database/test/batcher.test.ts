import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createBatcher, DeadlinePassed, QueueFull } from "../src/index.ts";

const seed = 20_261_124;

interface Item {
  readonly n: number;
  readonly keys: readonly string[];
  readonly bad: boolean;
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe(`createBatcher (seed ${seed})`, () => {
  it("gives each its own result, keeps those apart that share a key, and its bounds, in any interleaving", async () => {
    const item = fc.record({
      keys: fc.uniqueArray(fc.constantFrom("a", "b", "c", "d"), { maxLength: 3 }),
      bad: fc.boolean(),
    });
    const settings = fc.record({
      inFlightMax: fc.integer({ min: 1, max: 4 }),
      batchMax: fc.integer({ min: 1, max: 6 }),
      divides: fc.boolean(),
      overlap: fc.option(fc.record({ itemsMin: fc.integer({ min: 1, max: 6 }), waitMsMax: fc.constant(1) }), {
        nil: undefined,
      }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(item, { maxLength: 40 }), settings, fc.scheduler(), async (list, o, scheduler) => {
        const inFlight = new Set<string>();
        const done: Item[] = [];
        let commits = 0;
        const batcher = createBatcher<Item, string>({
          ...o,
          queueMax: 100,
          keysOf: (each) => each.keys,
          send: async (batch) => {
            commits += 1;
            expect(commits).toBeLessThanOrEqual(o.inFlightMax);
            expect(batch.length).toBeLessThanOrEqual(o.batchMax);
            const keys = batch.flatMap((each) => each.keys);
            expect(new Set(keys).size).toBe(keys.length);
            for (const key of keys) {
              expect(inFlight.has(key)).toBe(false);
              inFlight.add(key);
            }
            await scheduler.schedule(Promise.resolve());
            for (const key of keys) inFlight.delete(key);
            commits -= 1;
            if (batch.some((each) => each.bad)) throw new Error("refused");
            done.push(...batch);
            return batch.map((each) => `result of ${each.n}`);
          },
          onFailure: () => "halve",
        });
        const items = list.map((each, n) => ({ ...each, n }));
        const adding = Promise.allSettled(items.map((each) => batcher.add(each)));
        await scheduler.waitFor(adding);
        await batcher.close();
        const results = await adding;
        for (const [n, each] of items.entries()) {
          expect(results[n]).toMatchObject(each.bad ? { status: "rejected" } : { value: `result of ${n}` });
        }
        for (const key of ["a", "b", "c", "d"]) {
          const order = done.filter((each) => each.keys.includes(key)).map((each) => each.n);
          expect(order).toEqual(order.toSorted((x, y) => x - y));
        }
      }),
      { seed, numRuns: 300 },
    );
  });

  it("commits a lone decision at once and by itself", async () => {
    const batches: number[] = [];
    const batcher = plain(async (batch) => {
      batches.push(batch.length);
      return batch;
    });
    expect(await batcher.add(1)).toBe(1);
    expect(batches).toEqual([1]);
  });

  it("shares what waits among the free writers, and takes what came meanwhile as the next batch", async () => {
    const batches: number[][] = [];
    const gate = Promise.withResolvers<void>();
    const batcher = plain(async (batch) => {
      batches.push([...batch]);
      if (batches.length <= 2) await gate.promise;
      return batch;
    });
    const first = [1, 2, 3, 4].map((n) => batcher.add(n));
    await turn();
    const second = [5, 6, 7].map((n) => batcher.add(n));
    await turn();
    expect(batches).toEqual([
      [1, 2],
      [3, 4],
    ]);
    gate.resolve();
    expect(await Promise.all([...first, ...second])).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(batches.slice(2).flat()).toEqual([5, 6, 7]);
  });

  describe("with a batch in flight", () => {
    /** The first batch hangs until `gate`. */
    function withFirstInFlight() {
      const batches: number[][] = [];
      const gate = Promise.withResolvers<void>();
      const batcher = plain(
        async (batch) => {
          batches.push([...batch]);
          if (batches.length === 1) await gate.promise;
          return batch;
        },
        { overlap: { itemsMin: 3, waitMsMax: 3_600_000 } },
      );
      return { batches, gate, batcher };
    }

    it("lets few items wait for the next one, which they share", async () => {
      const { batches, gate, batcher } = withFirstInFlight();
      const first = batcher.add(1);
      await turn();
      const others = [2, 3].map((n) => batcher.add(n));
      await turn();
      expect(batches).toEqual([[1]]);
      gate.resolve();
      expect(await Promise.all([first, ...others])).toEqual([1, 2, 3]);
      expect(batches).toEqual([[1], [2, 3]]);
    });

    it("sends another one beside it where many wait", async () => {
      const { batches, gate, batcher } = withFirstInFlight();
      const first = batcher.add(1);
      await turn();
      expect(await Promise.all([2, 3, 4].map((n) => batcher.add(n)))).toEqual([2, 3, 4]);
      expect(batches).toEqual([[1], [2, 3, 4]]);
      gate.resolve();
      expect(await first).toBe(1);
    });

    it("sends what has waited for long beside one that hangs", async () => {
      const batcher = plain((batch) => (batch[0] === 1 ? new Promise(() => undefined) : Promise.resolve(batch)), {
        overlap: { itemsMin: 3, waitMsMax: 1 },
      });
      void batcher.add(1);
      await turn();
      expect(await batcher.add(2)).toBe(2);
      expect(await batcher.add(3)).toBe(3);
    });

    it("divides what waits only where each batch gets its share", async () => {
      const batches: number[][] = [];
      const batcher = plain(
        async (batch) => {
          batches.push([...batch]);
          return batch;
        },
        { overlap: { itemsMin: 3, waitMsMax: 3_600_000 } },
      );
      await Promise.all([1, 2, 3, 4].map((n) => batcher.add(n)));
      await Promise.all([5, 6, 7, 8, 9, 10].map((n) => batcher.add(n)));
      expect(batches).toEqual([
        [1, 2, 3, 4],
        [5, 6, 7],
        [8, 9, 10],
      ]);
    });
  });

  it("sends together what comes in over many connections in one turn of the event loop", async () => {
    const { batches, batcher } = recorded();
    const results: Promise<number>[] = [];
    // Callbacks of one phase, each with its own microtasks, as those of sockets are.
    for (const n of [1, 2, 3, 4]) setImmediate(() => results.push(batcher.add(n)));
    await turn();
    expect(await Promise.all(results)).toEqual([1, 2, 3, 4]);
    expect(batches).toEqual([[1, 2, 3, 4]]);
  });

  it("sends with the next batch what callers add when theirs is answered", async () => {
    const { batches, batcher } = recorded();
    const next = (n: number) => batcher.add(n).then((done) => batcher.add(done + 10));
    const first = [1, 2, 3].map(next);
    await turn();
    const other = batcher.add(4);
    expect(await Promise.all([...first, other])).toEqual([11, 12, 13, 4]);
    expect(batches.length).toBe(2);
  });

  it("refuses what its queue cannot hold", async () => {
    const batcher = plain(async (batch) => batch, { queueMax: 2 });
    const answers = await Promise.allSettled([1, 2, 3].map((n) => batcher.add(n)));
    expect(answers.map((answer) => answer.status)).toEqual(["fulfilled", "fulfilled", "rejected"]);
    expect(answers[2]).toMatchObject({ reason: expect.any(QueueFull) });
  });

  it("drops what is past its deadline while it waits, and answers what is on the way", async () => {
    const gate = Promise.withResolvers<void>();
    const committed: number[] = [];
    const batcher = plain(
      async (batch) => {
        await gate.promise;
        committed.push(...batch);
        return batch;
      },
      { inFlightMax: 1 },
    );
    const [onTheWay, waiting, late] = [new AbortController(), new AbortController(), AbortSignal.abort()];
    const first = batcher.add(1, { signal: onTheWay.signal });
    await turn();
    const second = batcher.add(2, { signal: waiting.signal });
    const third = batcher.add(3);
    onTheWay.abort();
    waiting.abort();
    await expect(second).rejects.toBeInstanceOf(DeadlinePassed);
    await expect(batcher.add(4, { signal: late })).rejects.toBeInstanceOf(DeadlinePassed);
    gate.resolve();
    expect(await Promise.all([first, third])).toEqual([1, 3]);
    expect(committed).toEqual([1, 3]);
  });

  it("sends a batch again that met another transaction, and gives up in the end", async () => {
    let tries = 0;
    const passing = plain(
      async (batch) => {
        tries += 1;
        if (tries < 3) throw new Error("met another");
        return batch;
      },
      { onFailure: () => "again" },
    );
    expect(await passing.add(1)).toBe(1);
    const never = plain(() => Promise.reject(new Error("met another")), { onFailure: () => "again" });
    await expect(never.add(1)).rejects.toThrow("met another");
  });

  it("gives the error to the whole batch where that is the reaction", async () => {
    const batcher = plain(() => Promise.reject(new Error("no such table")), { onFailure: () => "fail" });
    const answers = await Promise.allSettled([1, 2].map((n) => batcher.add(n)));
    expect(answers.map((answer) => answer.status)).toEqual(["rejected", "rejected"]);
  });

  it("answers what it took before it closes, and takes no more", async () => {
    const batcher = plain(async (batch) => {
      await turn();
      return batch;
    });
    const taken = batcher.add(1);
    const closed = batcher.close();
    await expect(batcher.add(2)).rejects.toThrow("closed");
    expect(await taken).toBe(1);
    await closed;
  });
});

/** A batcher with one batch in flight at a time, and the batches that it sent. */
function recorded() {
  const batches: number[][] = [];
  const batcher = plain(
    async (batch) => {
      batches.push([...batch]);
      return batch;
    },
    { inFlightMax: 1 },
  );
  return { batches, batcher };
}

function plain(
  send: (batch: readonly number[]) => Promise<readonly number[]>,
  o: {
    inFlightMax?: number;
    queueMax?: number;
    overlap?: { itemsMin: number; waitMsMax: number };
    onFailure?: () => "halve" | "again" | "fail";
  } = {},
) {
  return createBatcher({
    inFlightMax: 2,
    divides: true,
    batchMax: 10,
    queueMax: 100,
    keysOf: () => [],
    send,
    onFailure: () => "halve",
    ...o,
  });
}
