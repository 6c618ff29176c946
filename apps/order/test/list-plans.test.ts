import { type Database, listAudit } from "@rialto/database";
import { listDeadLetters, subscriberStats } from "@rialto/events";
import {
  excessOf,
  explained,
  largeTable,
  pagesBefore,
  type TestDatabase,
  testDatabase,
  userIn,
  listedUsers as users,
} from "@rialto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createOrderQueries, type OrderFilter } from "../src/order/queries.ts";
import { order as service } from "../src/service.ts";

const { rows, limit } = largeTable;
const firstMs = Date.UTC(2026, 0, 1);

/** The id of the row with that number, which was made in that second. */
function id(n: number): string {
  const time = (firstMs + n * 1_000).toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-000000000000`;
}

let db: TestDatabase;
let watched: ReturnType<typeof explained>;
let database: Database;
beforeAll(async () => {
  db = await testDatabase({ schemas: service.schemas });
  database = db.database("order");
  watched = explained(database.sql);
  const uuid = db.sql`rpad(lpad(to_hex(${firstMs}::bigint + n * 1000), 12, '0') || '70008', 32, '0')::uuid`;
  await db.sql`
    insert into "order".orders (id, version, user_id, status, items, currency, total, captured, refunded, payment_method,
      rejection_reason, attention_reason, attention_detail, attention_since, create_time, update_time)
    select ${uuid}, 3, ${userIn(db.sql)},
      status, '[]', 'EUR', 100, case when status in ('DELIVERED', 'SHIPPED') then 100 else 0 end, 0, 'pm',
      case when status = 'REJECTED' then 'PAYMENT_DECLINED' end,
      case when n % 3 = 0 then 'STOCK_LOST' end, case when n % 3 = 0 then 'a detail' end,
      case when n % 3 = 0 then now() end, now(), now()
    from generate_series(1, ${rows}) as n
    cross join lateral (select case when n % 4000 = 9 then 'REJECTED'
      when n < ${rows / 2} then 'DELIVERED' when n % 2 = 0 then 'SHIPPED' else 'CONFIRMED' end as status) s`;
  await db.sql`
    insert into "order".audit_entry (id, time, actor, method, subject, changes, request_id)
    select ${uuid}, to_timestamp(${firstMs / 1_000}::float8 + n), case when n < ${rows / 2} then 'admin:old' else 'admin:new' end,
      case when n % 5000 = 7 then 'Rare' when n % 2 = 0 then 'ShipOrder' else 'DeliverOrder' end, 'order:' || n / 10, '[]', 'r'
    from generate_series(1, ${rows}) as n`;
  await db.sql`
    insert into "order".inbox_pending (subscription, event_id, state, topic, subject, version, envelope)
    select case when n % 5000 = 7 then 'rare' when n < ${rows / 2} then 'first' else 'second' end, ${uuid},
      case when n % 2 = 0 then 'DEAD' else 'RETRY' end, 't', 's', 1,
      '{"id": "01900000-0000-7000-8000-000000000001", "topic": "t", "subject": "s", "version": 1, "time": "2026-01-01T00:00:00Z", "payload": {}}'
    from generate_series(1, ${rows}) as n`;
  await db.sql`vacuum analyze "order".orders, "order".audit_entry, "order".inbox_pending`;
});
afterAll(() => db.close());

const pages = pagesBefore(id(rows / 4));

describe.each(pages)("%s of the orders", (_, after) => {
  const filters: readonly Partial<OrderFilter>[] = [undefined, users.old, users.rare, users.none].flatMap((userId) =>
    [undefined, "DELIVERED" as const, "REJECTED" as const, "PENDING" as const].flatMap((status) =>
      [false, true].map((attention) => ({ userId, status, attention })),
    ),
  );
  it.each(filters)("reads the rows that it shows and no others: %j", async (filter) => {
    const { list } = createOrderQueries({ ...database, sql: watched.sql });
    const all = { userId: undefined, status: undefined, attention: false, ...filter };
    await list(all, { after, limit });
    expect(excessOf(await watched.plans())).toEqual([]);
  });
});

describe("of 100 orders that wait for a person, of which the statistics say nothing", () => {
  beforeAll(async () => {
    await db.sql`update "order".orders set attention_reason = null, attention_detail = null, attention_since = null`;
    await db.sql`vacuum (full, analyze) "order".orders`;
    // In a table of a million orders a sample has none of so few.
    await db.sql`
      update "order".orders set attention_reason = 'STOCK_LOST', attention_detail = 'a detail', attention_since = now()
      where id = any (${Array.from({ length: 100 }, (_, at) => id(500 + at * 1_000))}::uuid[])`;
  });

  const filters: readonly Partial<OrderFilter>[] = [undefined, users.old, users.none].flatMap((userId) =>
    [undefined, "DELIVERED" as const, "PENDING" as const].map((status) => ({ userId, status })),
  );
  it.each(filters)("a page reads the rows that it shows and no others: %j", async (filter) => {
    const { list } = createOrderQueries({ ...database, sql: watched.sql });
    await list({ userId: undefined, status: undefined, attention: true, ...filter }, { after: undefined, limit });
    expect(excessOf(await watched.plans())).toEqual([]);
  });
});

describe.each(pages)("%s of the audit log", (_, after) => {
  const time = (n: number) => new Date(firstMs + n * 1_000);
  it.each([
    {},
    { actor: "admin:old" },
    { actor: "nobody" },
    { method: "ShipOrder" },
    { method: "Rare" },
    { method: "None" },
    { actor: "admin:old", method: "ShipOrder" },
    { actor: "admin:old", method: "Rare" },
    { actor: "admin:old", method: "None" },
    { subject: "order:17" },
    { subject: "order:17", actor: "admin:new" },
    { subject: "order:17", method: "Rare" },
    { from: time(10), before: time(500) },
    { actor: "admin:old", from: time(10), before: time(500) },
  ])("reads the rows that it shows and no others: %j", async (filter) => {
    await listAudit(watched.sql, filter, { after, limit });
    // What was done in an hour is passed over, and what was done to one subject, or by a rare method.
    const passedOverMax = "before" in filter ? 3_600 + 500 : 25;
    expect(excessOf(await watched.plans(), { sortedMax: passedOverMax, passedOverMax })).toEqual([]);
  });
});

describe.each(pages)("%s of the dead letters", (_, row) => {
  it.each([undefined, "first", "second", "rare", "none"])(
    "reads the rows that it shows and no others, of %s",
    async (subscription) => {
      const after = row === undefined ? undefined : { eventId: row, subscription: "" };
      await listDeadLetters(watched.sql, { subscription, after, limit });
      expect(excessOf(await watched.plans())).toEqual([]);
    },
  );
});

describe("the figures of a subscriber", () => {
  it("have every subscription with its pending events and dead letters", async () => {
    expect(await subscriberStats(database.sql)).toMatchObject([
      { subscription: "first", paused: false, waiting: 24_990, dead: 24_999 },
      { subscription: "rare", waiting: 20, dead: 0 },
      { subscription: "second", waiting: 24_990, dead: 25_001 },
    ]);
  });
});
