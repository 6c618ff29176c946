import { LazySignal } from "@rialto/async";
import { v7 } from "uuid";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sql } from "../src/drizzle.ts";
import { createLoader, createRowLoader, QueueFull } from "../src/index.ts";
import { openThings, type Things } from "./support/things.ts";

let things: Things;
beforeAll(async () => {
  things = await openThings();
});
afterAll(() => things.close());

/** Loads the totals of things by their ids, and keeps which ids each statement asked for. */
function totals(o: { questionsMax?: number; queueMax?: number } = {}) {
  const statements: string[][] = [];
  const loader = createLoader({
    ...o,
    async read(ids: readonly string[]) {
      statements.push([...ids]);
      const rows = await things.database.sql<{ id: string; total: bigint }[]>`
        select id, total from thing where id = any (${[...new Set(ids)]}::uuid[])`;
      const byId = new Map(rows.map(({ id, total }) => [id, total]));
      return ids.map((id) => byId.get(id));
    },
  });
  return { ...loader, statements };
}

async function thing(total: number): Promise<string> {
  const id = v7();
  await things.database.sql`
    insert into thing (id, version, status, customer, total, items, time)
    values (${id}, 1, 1, 'a customer', ${total}, '[]', now())`;
  return id;
}

const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

describe("questions to the database", () => {
  it("that are asked in the same moment travel in one statement, and each gets its own answer", async () => {
    const ids = await Promise.all(Array.from({ length: 40 }, (_, n) => thing(n)));
    const { load, statements } = totals();
    const unknown = v7();
    expect(await Promise.all([...ids, unknown, ids[7] ?? ""].map((id) => load(id)))).toEqual([
      ...ids.map((_, n) => BigInt(n)),
      undefined,
      7n,
    ]);
    expect(statements.length).toBe(1);
  });

  it("that come in over many connections in one turn of the event loop travel in one statement", async () => {
    const id = await thing(5);
    const { load, statements } = totals();
    const answers: Promise<bigint | undefined>[] = [];
    // Callbacks of one phase, each with its own microtasks, as those of sockets are.
    for (let n = 0; n < 8; n += 1) setImmediate(() => answers.push(load(id)));
    await turn();
    expect(await Promise.all(answers)).toEqual(Array(8).fill(5n));
    expect(statements.length).toBe(1);
  });

  it("see what was committed before they were asked, also while an older statement runs", async () => {
    const id = await thing(1);
    const { load, statements } = totals();
    const first = load(id);
    await turn();
    await things.admin`update thing.thing set total = 2 where id = ${id}`;
    const second = load(id);
    expect(await second).toBe(2n);
    expect(await first).toBeGreaterThan(0n);
    expect(statements).toEqual([[id], [id]]);
  });

  it("that are older than a change do not answer those that are younger", async () => {
    const asked: number[] = [];
    const gates = [Promise.withResolvers<string[]>(), Promise.withResolvers<string[]>()];
    const { load } = createLoader({
      read: (questions: readonly number[]) => {
        asked.push(...questions);
        return gates[asked.length - 1]?.promise ?? Promise.resolve([]);
      },
    });
    const before = load(1);
    await turn();
    const after = load(2);
    await turn();
    gates[1]?.resolve(["new"]);
    expect(await after).toBe("new");
    gates[0]?.resolve(["old"]);
    expect(await before).toBe("old");
    expect(asked).toEqual([1, 2]);
  });

  it("that Postgres refuses fail alone", async () => {
    const [one, two] = await Promise.all([thing(1), thing(2)]);
    const { load } = totals();
    const answers = await Promise.allSettled([one, "no id", two].map((id) => load(id)));
    expect(answers).toEqual([
      { status: "fulfilled", value: 1n },
      { status: "rejected", reason: expect.objectContaining({ code: "22P02" }) },
      { status: "fulfilled", value: 2n },
    ]);
  });

  it("that Postgres refuses fail alone where the query builder wraps the refusal too", async () => {
    const id = await thing(1);
    const { orm } = things.database;
    const { load } = createLoader({
      async read(ids: readonly string[]) {
        await orm.execute(sql`select id from thing where id = any (${sql.param([...ids])}::uuid[])`);
        return ids;
      },
    });
    const [found, refused] = await Promise.allSettled([id, "no id"].map((one) => load(one)));
    expect(found).toMatchObject({ value: id });
    expect(refused).toMatchObject({ reason: { cause: { code: "22P02" } } });
  });

  it("fail together where the server is at fault, by one statement", async () => {
    let statements = 0;
    const lost = Object.assign(new Error("lost"), { code: "CONNECTION_CLOSED" });
    const { load } = createLoader({
      read: () => {
        statements += 1;
        return Promise.reject(lost);
      },
    });
    const answers = await Promise.allSettled([1, 2, 3].map((question) => load(question)));
    expect(answers.map((answer) => answer.status === "rejected" && answer.reason)).toEqual([lost, lost, lost]);
    expect(statements).toBe(1);
  });

  it("keep their own deadlines: one that ends before its statement is sent is not asked", async () => {
    const { load, statements } = totals();
    const id = await thing(3);
    const canceled = new LazySignal();
    const one = load(id);
    const other = load(v7(), { signal: canceled });
    canceled.abort(new Error("the caller left"));
    await expect(other).rejects.toThrow("the caller left");
    await expect(load(id, { signal: AbortSignal.abort(new Error("too late")) })).rejects.toThrow("too late");
    expect(await one).toBe(3n);
    expect(statements).toEqual([[id]]);
  });

  it("keep their own deadlines: one that ends while its statement runs waits no longer, and the others do", async () => {
    const gate = Promise.withResolvers<string[]>();
    const { load } = createLoader({ read: (_questions: readonly number[]) => gate.promise });
    const canceled = new LazySignal();
    const [one, other] = [load(1), load(2, { signal: canceled })];
    await turn();
    canceled.abort(new Error("the caller left"));
    await expect(other).rejects.toThrow("the caller left");
    gate.resolve(["first", "second"]);
    expect(await one).toBe("first");
  });

  it("are bounded in each statement, in statements at once, and in the queue", async () => {
    const sent: number[][] = [];
    const gate = Promise.withResolvers<void>();
    const { load } = createLoader({
      questionsMax: 3,
      queueMax: 6,
      async read(questions: readonly number[]) {
        sent.push([...questions]);
        await gate.promise;
        return questions;
      },
    });
    const first = [1, 2, 3, 4, 5, 6].map((question) => load(question));
    await turn();
    expect(sent).toEqual([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    const next = [7, 8, 9, 10, 11, 12].map((question) => load(question));
    await expect(load(13)).rejects.toBeInstanceOf(QueueFull);
    await turn();
    expect(sent.length).toBe(2);
    gate.resolve();
    expect(await Promise.all([...first, ...next])).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]);
    expect(sent.slice(2)).toEqual([
      [7, 8, 9],
      [10, 11, 12],
    ]);
  });
});

describe("rows that are loaded by their ids", () => {
  it("are read once each, in whatever case they are asked for, and come to who asked", async () => {
    const asked: (readonly string[])[] = [];
    const { load } = createRowLoader({
      read: async (ids) => {
        asked.push(ids);
        return [{ key: "b" }, { key: "a" }];
      },
      idOf: ({ key }) => key,
    });
    const found = await Promise.all(["a", "b", "A", "c"].map((id) => load(id)));
    expect(found).toEqual([{ key: "a" }, { key: "b" }, { key: "a" }, undefined]);
    expect(asked).toEqual([["a", "b", "c"]]);
  });

  it("share an answer, of which no part can be changed where shared answers are frozen", async () => {
    const id = v7();
    const row = { id, lines: [{ quantity: 1n }], time: new Date(0), bytes: Buffer.of(1) };
    const { load } = createRowLoader({ read: async () => [row], idOf: (found) => found.id, freezes: true });
    const [mine, yours] = await Promise.all([load(id), load(id)]);
    expect(mine).toBe(yours);
    expect(() => mine?.lines.push({ quantity: 2n })).toThrow(TypeError);
    expect(() => Object.assign(mine?.lines[0] ?? {}, { quantity: 2n })).toThrow(TypeError);
    expect(() => Object.assign(mine ?? {}, { id: "another" })).toThrow(TypeError);
    expect(yours).toEqual({ id, lines: [{ quantity: 1n }], time: new Date(0), bytes: Buffer.of(1) });
  });
});
