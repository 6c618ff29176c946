import type { RecordedSpan } from "@rialto/telemetry";
import { recordSpans } from "@rialto/telemetry/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { summarize } from "../src/connection/traced.ts";
import { createGroupCommit, createLoader, type Database, openDatabase, runtimeUrl } from "../src/index.ts";
import { decision, rowColumns } from "./support/decisions.ts";
import { openThings, secret, type Things } from "./support/things.ts";

let things: Things;
let database: Database;

beforeAll(async () => {
  things = await openThings();
  const url = await runtimeUrl(things.adminUrl, "thing", secret);
  database = openDatabase({ url, schema: "thing", service: "thing", traced: true });
});
afterAll(async () => {
  await database.close();
  await things.close();
});

/** Recorded work, and the spans that end while it runs. */
function recorded() {
  const { tracing, spans } = recordSpans();
  const begin = (): RecordedSpan => {
    const span = tracing.begin("work", { traceparent: undefined });
    if (span === undefined) throw new Error("not recorded");
    return span;
  };
  return { begin, spans };
}

describe("a statement of recorded work", () => {
  it("has a span in its trace, with its text and none of its parameters", async () => {
    const { begin, spans } = recorded();
    const work = begin();
    const secretText = "ada@example.com";
    await work.run(async () => {
      const only = database.sql`where type = ${secretText}`;
      return await database.sql`select * from ${database.sql("thing_event")} ${only}`;
    });
    expect(spans()).toMatchObject([
      {
        name: "SELECT thing_event",
        kind: "client",
        traceId: work.traceId,
        parentSpanId: work.spanId,
        attributes: {
          "db.system.name": "postgresql",
          "db.namespace": expect.stringMatching(/^test_\w+\|thing$/),
          "db.query.text": 'select * from "thing_event" where type = $1',
        },
      },
    ]);
    expect(JSON.stringify(spans())).not.toContain(secretText);
  });

  it("that Postgres refuses is failed by its SQLSTATE, without its message", async () => {
    const { begin, spans } = recorded();
    const query = begin().run(() => database.sql`select ${"ada@example.com"}::text::int as n`);
    await expect(query).rejects.toThrow("ada@example.com");
    expect(spans()[0]).toMatchObject({ isFailed: true, attributes: { "error.type": "22P02" } });
    expect(JSON.stringify(spans())).not.toContain("ada@");
  });

  it("in a transaction is a child of the transaction's span", async () => {
    const { begin, spans } = recorded();
    const work = begin();
    await work.run(() => database.sql.begin((tx) => tx`select 1 as one`));
    const [statement, transaction] = ["SELECT", "TRANSACTION"].map((name) =>
      spans().find((span) => span.name === name),
    );
    expect(transaction).toMatchObject({ name: "TRANSACTION", parentSpanId: work.spanId });
    expect(statement).toMatchObject({ traceId: work.traceId, parentSpanId: transaction?.spanId });
  });

  it("built by Drizzle has one too", async () => {
    const { begin, spans } = recorded();
    await begin().run(async () => await database.orm.execute("select count(*) from thing"));
    expect(spans()).toMatchObject([{ name: "SELECT thing" }]);
  });

  it("that is cancelled or never sent leaves the pool usable", async () => {
    const { begin } = recorded();
    const query = begin().run(() => database.sql`select pg_sleep(60)`);
    const ended = query.catch((error: unknown) => error);
    await new Promise((resolve) => setTimeout(resolve, 100));
    query.cancel();
    expect(await ended).toBeInstanceOf(Error);
    expect(await database.sql`select 1 as one`).toEqual([{ one: 1 }]);
  });
});

describe("a statement of work that is not recorded", () => {
  it("has no span, also where others are recorded at the same time", async () => {
    const { begin, spans } = recorded();
    await Promise.all([database.sql`select 1`, begin().run(() => database.sql`select 2`), database.sql`select 3`]);
    expect(spans()).toHaveLength(1);
  });
});

describe("statements of a batch", () => {
  it("are in the first trace and linked to the others, each of which has a span of its own", async () => {
    const { begin, spans } = recorded();
    const commits = createGroupCommit({
      database,
      subjectTable: "thing",
      rowColumns,
      eventTable: "thing_event",
      writers: 1,
    });
    const works = [begin(), begin(), begin()];
    await Promise.all(works.map((work) => work.run(() => commits.commit(decision()))));
    await commits.commit(decision());
    await commits.close();
    const own = works.map((work) => spans().find(({ parentSpanId }) => parentSpanId === work.spanId));
    expect(own.map((span) => span?.name)).toEqual(Array.from({ length: 3 }, () => "group commit thing"));
    const statements = spans().filter(({ kind }) => kind === "client");
    expect(statements).toHaveLength(1);
    expect(statements[0]).toMatchObject({
      name: "INSERT idempotency INSERT thing INSERT thing_event INSERT outbox",
      traceId: works[0]?.traceId,
      parentSpanId: own[0]?.spanId,
      linkedSpanIds: [own[1]?.spanId, own[2]?.spanId],
    });
  });

  it("that one work asked for several times are not linked to it", async () => {
    const { begin, spans } = recorded();
    const numbers = createLoader<number, number>({
      async read(questions) {
        await database.sql`select 1`;
        return questions;
      },
      questionsMax: 10,
    });
    const [first, second] = [begin(), begin()];
    await Promise.all([first, first, second, second].map((work, n) => work.run(() => numbers.load(n))));
    expect(spans()).toMatchObject([{ parentSpanId: first.spanId, linkedSpanIds: [second.spanId] }]);
  });

  it("that others asked for meanwhile are not those of whoever came first", async () => {
    const { begin, spans } = recorded();
    const numbers = createLoader<number, number>({
      async read(questions) {
        await database.sql`select 1`;
        return questions;
      },
      questionsMax: 1,
    });
    await Promise.all([begin().run(() => numbers.load(1)), numbers.load(2), numbers.load(3), numbers.load(4)]);
    expect(spans()).toHaveLength(1);
  });
});

describe("summarize", () => {
  it.each([
    ["select 1", "SELECT"],
    ["select * from product where id = $1", "SELECT product"],
    ['select x from "shop"."order" for update skip locked', "SELECT order"],
    ["insert into outbox (id) values ($1) on conflict (id) do update set id = $1", "INSERT outbox"],
    ["with a as (select * from b for update skip locked) update delivery d set x = 1", "UPDATE delivery"],
    ["delete from inbox_pending where id = $1", "DELETE inbox_pending"],
    ["begin", "BEGIN"],
  ])("%s is %s", (text, summary) => {
    expect(summarize(text)).toBe(summary);
  });
});
