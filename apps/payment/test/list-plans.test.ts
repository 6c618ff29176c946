import type { Database } from "@rialto/database";
import {
  excessOf,
  explained,
  largeTable,
  listedUsers,
  pagesBefore,
  rowId,
  rowIdIn,
  type TestDatabase,
  testDatabase,
  userIn,
} from "@rialto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPaymentQueries } from "../src/payment/queries.ts";
import { payment as service } from "../src/service.ts";

const { rows, limit } = largeTable;
const users = listedUsers;
/** What one order has is sorted. */
const ordersRowsMax = 4;

let db: TestDatabase;
let watched: ReturnType<typeof explained>;
let database: Database;
beforeAll(async () => {
  db = await testDatabase({ schemas: service.schemas });
  database = db.database("payment");
  watched = explained(database.sql);
  const id = rowIdIn(db.sql);
  await db.sql`
    insert into payment.payment (id, version, order_id, user_id, status, amount, currency, captured, refunded,
      attention_reason, attention_detail, attention_since, create_time, update_time)
    select ${id}, 2, ${id}, ${userIn(db.sql)},
      'AUTHORIZED', 100, 'EUR', 0, 0, case when n % 3 = 0 then 'REFUND_REFUSED' end,
      case when n % 3 = 0 then 'a detail' end, case when n % 3 = 0 then now() end, now(), now()
    from generate_series(1, ${rows}) as n`;
  await db.sql`vacuum analyze payment.payment`;
});
afterAll(() => db.close());

describe.each(pagesBefore(rowId(rows / 4)))("%s of the payments", (_, after) => {
  const filters = [undefined, users.old, users.rare, users.none].flatMap((userId) =>
    [undefined, rowId(17)].flatMap((orderId) => [false, true].map((attention) => ({ userId, orderId, attention }))),
  );
  it.each(filters)("reads the rows that it shows and no others: %j", async (filter) => {
    await createPaymentQueries({ ...database, sql: watched.sql }).list(filter, { after, limit });
    expect(excessOf(await watched.plans(), { sortedMax: ordersRowsMax })).toEqual([]);
  });
});

describe("of 100 payments that wait for a person, of which the statistics say nothing", () => {
  beforeAll(async () => {
    await db.sql`update payment.payment set attention_reason = null, attention_detail = null, attention_since = null`;
    await db.sql`vacuum (full, analyze) payment.payment`;
    // In a table of a million payments a sample has none of so few.
    await db.sql`
      update payment.payment
      set attention_reason = 'REFUND_REFUSED', attention_detail = 'a detail', attention_since = now()
      where id = any (${Array.from({ length: 100 }, (_, at) => rowId(500 + at * 1_000))}::uuid[])`;
  });

  it.each([undefined, users.old, users.none])(
    "a page reads the rows that it shows and no others: %s",
    async (userId) => {
      const filter = { userId, orderId: undefined, attention: true };
      await createPaymentQueries({ ...database, sql: watched.sql }).list(filter, { after: undefined, limit });
      expect(excessOf(await watched.plans())).toEqual([]);
    },
  );
});
