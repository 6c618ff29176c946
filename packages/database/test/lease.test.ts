import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { withLease } from "../src/index.ts";
import { openThings, type Things } from "./support/things.ts";

let things: Things;
beforeAll(async () => {
  things = await openThings();
});
afterAll(() => things.close());

const longMs = 60_000;

describe("withLease", () => {
  it("lets one of many do the work, also of one process", async () => {
    const gate = Promise.withResolvers<void>();
    const o = { name: "sweep", holder: "replica-1", ttlMs: longMs };
    const first = withLease(things.database.sql, o, () => gate.promise.then(() => "done"));
    await held("sweep");
    expect(await withLease(things.database.sql, o, () => Promise.resolve("twice"))).toBeUndefined();
    expect(await withLease(things.database.sql, { ...o, name: "other" }, () => Promise.resolve("other"))).toBe("other");
    gate.resolve();
    expect(await first).toBe("done");
  });

  it("is free again when the work is done, and when it failed", async () => {
    const o = { name: "free", holder: "replica-1", ttlMs: longMs };
    await expect(withLease(things.database.sql, o, () => Promise.reject(new Error("failed")))).rejects.toThrow(
      "failed",
    );
    expect(await withLease(things.database.sql, o, () => Promise.resolve(1))).toBe(1);
    expect(await withLease(things.database.sql, o, () => Promise.resolve(2))).toBe(2);
  });

  it("is taken over from a holder that died", async () => {
    await things.database
      .sql`insert into lease (name, holder, expire_time) values ('orphan', 'dead', now() - interval '1 ms')`;
    const o = { name: "orphan", holder: "replica-2", ttlMs: longMs };
    expect(await withLease(things.database.sql, o, () => Promise.resolve("mine"))).toBe("mine");
  });

  it("is renewed for as long as the work takes", async () => {
    const o = { name: "long", holder: "replica-1", ttlMs: 2_000 };
    await withLease(things.database.sql, o, async (signal) => {
      const first = await expiry("long");
      while ((await expiry("long")) <= first) await new Promise((resolve) => setTimeout(resolve, 10));
      expect(signal.aborted).toBe(false);
    });
  });

  it("tells its holder when another took it, and leaves that one's lease alone", async () => {
    const o = { name: "stolen", holder: "replica-1", ttlMs: 300 };
    const seen = await withLease(things.database.sql, o, async (signal) => {
      await things.database
        .sql`update lease set holder = 'thief', expire_time = now() + interval '1 hour' where name = 'stolen'`;
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
      return "told";
    });
    expect(seen).toBe("told");
    expect(await things.database.sql`select holder from lease where name = 'stolen'`).toEqual([{ holder: "thief" }]);
  });
});

async function expiry(name: string): Promise<number> {
  const [row] = await things.database.sql<{ time: Date }[]>`select expire_time as time from lease where name = ${name}`;
  return row?.time.getTime() ?? 0;
}

async function held(name: string): Promise<void> {
  while ((await expiry(name)) === 0) await new Promise((resolve) => setTimeout(resolve, 5));
}
