import { once } from "node:events";
import { Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";
import postgres from "postgres";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { connect, type Sql } from "../src/connection/connection.ts";

// What the patch "pipelined queries" of the driver is for. See third_party/postgres/README.md.

/** The driver's default: an active query, and so many behind it, are sent before the first answer. */
const pipelineMax = 100;

let sql: Sql;
/** Another session, which sees what is committed. */
let observer: Sql;
beforeEach(async () => {
  sql = connect(inject("adminUrl"), { max: 1 });
  observer = connect(inject("adminUrl"), { max: 1 });
  await observer`drop table if exists pipeline_note`;
  await observer`create table pipeline_note (text text, doc jsonb)`;
});
afterEach(async () => {
  await sql.end({ timeout: 1 });
  await observer`drop table pipeline_note`;
  await observer.end({ timeout: 1 });
});
const notes = async () => (await observer<{ text: string }[]>`select text from pipeline_note`).map(({ text }) => text);

describe("a transaction that begins behind other queries", () => {
  it.each([1, 2])(
    "has a connection to itself if BEGIN is the last that the pipeline takes, of a pool of %i",
    async (max) => {
      const pool = connect(inject("adminUrl"), { max });
      await Promise.all(Array.from({ length: max }, () => pool`select pg_sleep(0.1)`));
      // Given in turn to all connections: the next one fills a pipeline.
      const before = Array.from({ length: pipelineMax * max }, () => pool`select pg_sleep(0.001)`.execute());
      await pool.begin((tx) => tx`insert into pipeline_note values ('inside')`);
      await Promise.all(before);
      await Promise.all(Array.from({ length: max }, () => pool`insert into pipeline_note values ('after')`));
      expect(await notes()).toEqual(["inside", ...Array.from({ length: max }, () => "after")]);
      await pool.end({ timeout: 1 });
    },
  );

  it("has a connection to itself if the socket takes no more at that moment", async () => {
    const { pool, socket } = await poolWithSmallBuffer();
    socket.cork();
    setTimeout(() => socket.uncork(), 50);
    // Gathered until there is 1 KB, which BEGIN makes full.
    const before = Array.from({ length: 3 }, () => pool.unsafe(`select '${"x".repeat(323)}'`).execute());
    await pool.begin((tx) => tx`insert into pipeline_note values ('inside')`);
    await Promise.all(before);
    await pool`insert into pipeline_note values ('after')`;
    expect(await notes()).toEqual(["inside", "after"]);
    await pool.end({ timeout: 1 });
  });
});

describe("a transaction that waits for something else than a query", () => {
  it("keeps its connection when what it wrote is taken at last", async () => {
    let foreign: Promise<unknown> | undefined;
    await sql.begin(async (tx) => {
      const undone = tx.savepoint(async (part) => {
        const copy = await part`copy pipeline_note (doc) from stdin`.writable();
        copy.on("error", () => undefined);
        const closed = new Promise((resolve) => copy.once("close", resolve));
        // Refused at once, when most of what comes after it is not even sent.
        copy.write("no document\n");
        copy.write(Buffer.alloc(64_000_000, "{}\n"));
        await closed;
        foreign = sql`insert into pipeline_note values ('foreign')`.execute();
        foreign.catch(() => undefined);
        await sleep(500);
        throw new Error("given up");
      });
      await expect(undone).rejects.toThrow("given up");
      await tx`insert into pipeline_note values ('inside')`;
    });
    await foreign;
    expect(await notes()).toEqual(["inside", "foreign"]);
  });
});

describe("a query that cannot be sent", () => {
  type Queries = Pick<Sql, "unsafe">;
  const unfit = (by: Queries) => by.unsafe("select $1", [undefined as never]).execute();
  const numbered = (by: Queries, n: number) => by.unsafe(`select ${n} as n`).execute();

  it("fails alone, and leaves the others their answers", async () => {
    await sql`select 0`;
    const answers = await Promise.allSettled([numbered(sql, 1), unfit(sql), numbered(sql, 3), numbered(sql, 4)]);
    expect(answers).toMatchObject([
      { value: [{ n: 1 }] },
      { reason: { code: "UNDEFINED_VALUE" } },
      { value: [{ n: 3 }] },
      { value: [{ n: 4 }] },
    ]);
  });

  it("does so in a transaction", async () => {
    const failed = sql.begin(async (tx) => {
      const answers = await Promise.allSettled([numbered(tx, 1), unfit(tx), numbered(tx, 3)]);
      expect(answers).toMatchObject([
        { value: [{ n: 1 }] },
        { reason: { code: "UNDEFINED_VALUE" } },
        { value: [{ n: 3 }] },
      ]);
    });
    await expect(failed).rejects.toMatchObject({ code: "UNDEFINED_VALUE" });
    expect(await sql`select 4 as n`).toEqual([{ n: 4 }]);
  });

  it("leaves an idle connection of use", async () => {
    await sql`select 0`;
    const [failed, ...others] = [unfit(sql), numbered(sql, 1), numbered(sql, 2)];
    await expect(failed).rejects.toMatchObject({ code: "UNDEFINED_VALUE" });
    expect(await Promise.all(others)).toEqual([[{ n: 1 }], [{ n: 2 }]]);
  });
});

describe("a query that is canceled", () => {
  it("leaves those behind it their answers", async () => {
    await sql`select 0`;
    const [sleeping, canceled, ...behind] = [
      sql`select pg_sleep(0.1)`.execute(),
      sql`select 'canceled' as text`.execute(),
      sql`select 3 as n`.execute(),
      sql`select 4 as n`.execute(),
    ];
    await sleep(20);
    canceled?.cancel();
    await Promise.allSettled([sleeping, canceled]);
    // The request to cancel can reach the server late, and meet one of them.
    for (const [index, answer] of (await Promise.allSettled(behind)).entries())
      expect(answer).toMatchObject(
        answer.status === "fulfilled" ? { value: [{ n: index + 3 }] } : { reason: { code: "57014" } },
      );
  });

  it("leaves its connection of use if it was not sent yet", async () => {
    await sql`select 0`;
    const canceled = sql`select 1`;
    canceled.cancel();
    await expect(canceled).rejects.toMatchObject({ code: "57014" });
    expect(await sql`select 2 as n`).toEqual([{ n: 2 }]);
  });
});

describe("a query that is sent again, as its table was altered", () => {
  // The server refuses the plan that it has: "cached plan must not change result type".
  const put = (text: string) =>
    sql`insert into pipeline_note (text, doc) values (${text}, ${sql.json({ text })}) returning *`.execute();
  beforeEach(async () => {
    await put("first");
    await observer`alter table pipeline_note add column later integer`;
  });

  it("stores the same as one that is sent once", async () => {
    await put("second");
    expect(await observer`select doc from pipeline_note`).toEqual([
      { doc: { text: "first" } },
      { doc: { text: "second" } },
    ]);
  });

  it("gets its own answer, as do those that are sent behind it and while it is described", async () => {
    const puts = [put("second"), put("third")];
    const others: Promise<unknown>[] = [];
    const numbered = (n: number) => sql.unsafe(`select ${n} as n`).execute();
    let settled = false;
    const all = Promise.all(puts).finally(() => {
      settled = true;
    });
    while (!settled && others.length < 1_000) {
      others.push(numbered(others.length));
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(await all).toMatchObject([[{ text: "second" }], [{ text: "third" }]]);
    expect(await Promise.all(others)).toEqual(others.map((_, n) => [{ n }]));
    expect(await notes()).toEqual(["first", "second", "third"]);
  });
});

describe("a query that fails after some of its rows", () => {
  it("leaves none of them to the next one", async () => {
    await expect(sql`select 1 / (3 - n) from generate_series(1, 5) n`).rejects.toMatchObject({ code: "22012" });
    expect(await sql`select 1 as n`).toEqual([{ n: 1 }]);
  });
});

/** One connection, whose socket has room for 512 bytes. */
async function poolWithSmallBuffer() {
  const { hostname, port } = new URL(inject("adminUrl"));
  // The types do not have the second, which is passed on to the stream.
  const limits = { allowHalfOpen: false, writableHighWaterMark: 512 };
  const socket = new Socket(limits);
  const open = async () => {
    socket.connect(Number(port), hostname);
    await once(socket, "connect");
    return socket;
  };
  // The types do not have the function that the driver takes.
  const options = { max: 1, socket: open } as postgres.Options<Record<string, postgres.PostgresType>>;
  const pool = postgres(inject("adminUrl"), options);
  await pool`select 0`;
  return { pool, socket };
}
