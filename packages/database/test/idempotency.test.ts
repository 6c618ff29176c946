import { v7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { forgetIdempotencyKeys, KeyInUse, KeyReused, once, replay } from "../src/index.ts";
import { keyOf } from "./support/decisions.ts";
import { openThings, type Things } from "./support/things.ts";
import { untilWaiting } from "./support/waiting-sessions.ts";

let things: Things;
beforeAll(async () => {
  things = await openThings();
});
afterAll(() => things.close());

describe("once", () => {
  it("does the work once and answers the same request again with the first answer", async () => {
    const key = keyOf(v7());
    let runs = 0;
    const work = () => {
      runs += 1;
      return Promise.resolve({ run: runs });
    };
    expect(await once(things.database.sql, key, work)).toEqual({ run: 1 });
    expect(await once(things.database.sql, key, work)).toEqual({ run: 1 });
    expect(runs).toBe(1);
  });

  it("does the work once for many that come at the same time", async () => {
    const key = keyOf(v7());
    let runs = 0;
    const answers = await Promise.all(
      Array.from({ length: 8 }, () =>
        once(things.database.sql, key, async (tx) => {
          runs += 1;
          await tx`select pg_sleep(0.01)`;
          return { run: runs };
        }),
      ),
    );
    expect(answers).toEqual(Array.from({ length: 8 }, () => ({ run: 1 })));
  });

  it("says that the key is in use while the first is at work for long", async () => {
    const key = keyOf(v7());
    const gate = Promise.withResolvers<void>();
    const begun = Promise.withResolvers<void>();
    const first = once(things.database.sql, key, async () => {
      begun.resolve();
      await gate.promise;
      return "done";
    });
    await begun.promise;
    await expect(once(things.database.sql, key, () => Promise.resolve("twice"))).rejects.toBeInstanceOf(KeyInUse);
    gate.resolve();
    expect(await first).toBe("done");
  });

  it("takes the key over from a first that fails", async () => {
    const key = keyOf(v7());
    const begun = Promise.withResolvers<void>();
    const gate = Promise.withResolvers<void>();
    const first = once(things.database.sql, key, async () => {
      begun.resolve();
      await gate.promise;
      throw new Error("failed");
    });
    await begun.promise;
    const second = once(things.database.sql, key, () => Promise.resolve("second"));
    await untilWaiting(things.admin);
    gate.resolve();
    await expect(first).rejects.toThrow("failed");
    expect(await second).toBe("second");
  });

  it("refuses another request under the same key", async () => {
    const key = keyOf(v7());
    await once(things.database.sql, key, () => Promise.resolve("first"));
    const other = keyOf(key.key, "another request");
    await expect(once(things.database.sql, other, () => Promise.resolve("second"))).rejects.toBeInstanceOf(KeyReused);
  });

  it("stores nothing of work that fails, and leaves the key free", async () => {
    const key = keyOf(v7());
    const failing = once(things.database.sql, key, async (tx) => {
      await tx`insert into lease (name, holder, expire_time) values (${key.key}, 'x', now())`;
      throw new Error("refused");
    });
    await expect(failing).rejects.toThrow("refused");
    expect(await things.database.sql`select 1 from lease where name = ${key.key}`).toEqual([]);
    expect(await replay(things.database.sql, key)).toBeUndefined();
    expect(await once(things.database.sql, key, () => Promise.resolve("mended"))).toBe("mended");
  });

  it("is a plain transaction where there is no key", async () => {
    const work = () => Promise.resolve("done");
    expect(await once(things.database.sql, undefined, work)).toBe("done");
    expect(await replay(things.database.sql, undefined)).toBeUndefined();
  });

  it("does not shorten the waits of the work itself", async () => {
    const settings = await once(things.database.sql, keyOf(v7()), async (tx) => {
      const [row] = await tx<{ lock: string }[]>`select current_setting('lock_timeout') as lock`;
      return row?.lock ?? "";
    });
    expect(settings).toBe("2s");
  });
});

describe("replay", () => {
  it("gives the stored answer, also one that is nothing", async () => {
    for (const answer of [{ id: "1" }, null, "text", [1, 2]]) {
      const key = keyOf(v7());
      await once(things.database.sql, key, () => Promise.resolve(answer));
      expect(await replay(things.database.sql, key)).toEqual(answer);
      expect(await once(things.database.sql, key, () => Promise.resolve("again"))).toEqual(answer);
    }
  });

  it("refuses another request, and one whose work has begun and is not answered", async () => {
    const key = keyOf(v7());
    await once(things.database.sql, key, () => Promise.resolve("first"));
    await expect(replay(things.database.sql, keyOf(key.key, "another"))).rejects.toBeInstanceOf(KeyReused);
    await things.database.sql`update idempotency set response = null where key = ${key.key}`;
    await expect(replay(things.database.sql, key)).rejects.toBeInstanceOf(KeyInUse);
  });
});

describe("forgetIdempotencyKeys", () => {
  it("removes old keys, the oldest first and so many at most; what is not answered yet stays", async () => {
    const { sql } = things.database;
    await sql`delete from idempotency`;
    const [young, old, older, unanswered] = [keyOf(v7()), keyOf(v7()), keyOf(v7()), keyOf(v7())];
    for (const key of [young, old, older, unanswered]) await once(sql, key, () => Promise.resolve("done"));
    const age = (key: string, hours: number) => sql`
      update idempotency set create_time = now() - ${hours} * interval '1 hour' where key = ${key}`;
    await age(young.key, 47);
    await age(old.key, 49);
    await age(older.key, 50);
    await age(unanswered.key, 99);
    await sql`update idempotency set response = null where key = ${unanswered.key}`;
    const twoDays = { olderThanMs: 48 * 3_600_000, rowsMax: 1 };
    expect(await forgetIdempotencyKeys(sql, twoDays)).toBe(1);
    expect(await replay(sql, older)).toBeUndefined();
    expect(await replay(sql, old)).toBe("done");
    expect(await forgetIdempotencyKeys(sql, twoDays)).toBe(1);
    expect(await forgetIdempotencyKeys(sql, twoDays)).toBe(0);
    expect(await replay(sql, young)).toBe("done");
    await expect(replay(sql, unanswered)).rejects.toBeInstanceOf(KeyInUse);
  });
});
