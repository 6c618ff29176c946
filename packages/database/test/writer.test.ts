import { v7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createWriter } from "../src/index.ts";
import { openThings, type Things } from "./support/things.ts";

let things: Things;
beforeAll(async () => {
  things = await openThings();
});
afterAll(() => things.close());

interface Row {
  readonly id: string;
  readonly total: string;
}

/** Writes things, and keeps the rows that each statement was given. */
function writer(o: { rowsMax?: number } = {}) {
  const statements: (readonly Row[])[] = [];
  const { write } = createWriter<Row, string>({
    ...o,
    keyOf: ({ id }) => id,
    async send(rows) {
      statements.push(rows);
      await things.database.sql`
        insert into thing (id, version, status, customer, total, items, time)
        select id, 1, 1, 'a customer', total::bigint, '[]', now()
        from jsonb_to_recordset(${JSON.stringify(rows)}::text::jsonb) as r (id uuid, total text)
        on conflict (id) do update set total = excluded.total`;
      return rows.map(({ total }) => `wrote ${total}`);
    },
  });
  return { write, statements };
}

const row = (total: string): Row => ({ id: v7(), total });

async function totalOf(id: string) {
  const [found] = await things.database.sql<{ total: bigint }[]>`select total from thing where id = ${id}`;
  return found?.total;
}

describe("rows to be written", () => {
  it("that wait at the same moment are one statement, and each gets its own result", async () => {
    const { write, statements } = writer();
    const results = await Promise.all(Array.from({ length: 40 }, (_, n) => write(row(String(n)))));
    expect(results).toEqual(Array.from({ length: 40 }, (_, n) => `wrote ${n}`));
    expect(statements.length).toBe(1);
  });

  it("are no more in a statement than it may have", async () => {
    const { write, statements } = writer({ rowsMax: 10 });
    await Promise.all(Array.from({ length: 35 }, (_, n) => write(row(String(n)))));
    expect(statements.map((rows) => rows.length).sort()).toEqual([10, 10, 10, 5].sort());
  });

  it("fail alone where Postgres refuses one of them", async () => {
    const { write } = writer();
    const good = Array.from({ length: 7 }, (_, n) => row(String(n)));
    const ended = await Promise.allSettled([...good.slice(0, 4), row("no number"), ...good.slice(4)].map(write));
    expect(ended.filter(({ status }) => status === "rejected")).toMatchObject([{ reason: { code: "22P02" } }]);
    for (const [n, { id }] of good.entries()) expect(await totalOf(id)).toBe(BigInt(n));
  });

  it("keep their order where they have the same key", async () => {
    const { write, statements } = writer();
    const { id } = row("");
    await Promise.all(["1", "2", "3"].map((total) => write({ id, total })));
    expect(await totalOf(id)).toBe(3n);
    expect(statements.length).toBe(3);
  });
});
