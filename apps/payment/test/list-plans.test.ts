import type { Database } from "@rialto/database";
import { explained, type TestDatabase, testDatabase } from "@rialto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createPaymentQueries } from "../src/payment/queries.ts";
import { payment as service } from "../src/service.ts";

/*
 * The lists on tables that are large. "Old" values are common, and none of the newer half of the rows has them: what
 * reads from the newest row on would read half of the table.
 */

const rows = 100_000;
const limit = 21;
const users = { old: id(1), rare: id(2), none: id(3) };

/** The id of the row with that number. */
function id(n: number): string {
  return `01900000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;
}

let db: TestDatabase;
let watched: ReturnType<typeof explained>;
let database: Database;
beforeAll(async () => {
  db = await testDatabase({ schemas: service.schemas });
  database = db.database("payment");
  watched = explained(database.sql);
  const uuid = db.sql`('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid`;
  await db.sql`
    insert into payment.payment (id, version, order_id, user_id, status, amount, currency, captured, refunded,
      attention_reason, attention_detail, attention_since, create_time, update_time)
    select ${uuid}, 2, ${uuid}, case when n % 5000 = 7 then ${users.rare}::uuid
        when n < ${rows / 2} and n % 2 = 0 then ${users.old}::uuid
        else ('01900000-0000-7000-8001-' || lpad(to_hex(n % 5000), 12, '0'))::uuid end,
      'AUTHORIZED', 100, 'EUR', 0, 0, case when n % 3 = 0 then 'REFUND_REFUSED' end,
      case when n % 3 = 0 then 'a detail' end, case when n % 3 = 0 then now() end, now(), now()
    from generate_series(1, ${rows}) as n`;
  await db.sql`vacuum analyze payment.payment`;
});
afterAll(() => db.close());

/** A page reads its rows, each from a page of its own at worst, and no others. */
async function expectOnePage(): Promise<void> {
  const plans = await watched.plans();
  expect(plans).toHaveLength(1);
  for (const plan of plans) {
    expect(plan.scanned).toEqual([]);
    // What one order has is sorted.
    expect(plan.sortedRows).toBeLessThanOrEqual(4);
    expect(plan.readRows).toBeLessThanOrEqual(limit);
    expect(plan.buffers).toBeLessThanOrEqual(2 * limit + 20);
  }
}

const pages = [
  ["the first page", undefined],
  ["a deep page", id(rows / 4)],
] as const;

describe.each(pages)("%s of the payments", (_, after) => {
  const filters = [undefined, users.old, users.rare, users.none].flatMap((userId) =>
    [undefined, id(17)].flatMap((orderId) => [false, true].map((attention) => ({ userId, orderId, attention }))),
  );
  it.each(filters)("reads the rows that it shows and no others: %j", async (filter) => {
    await createPaymentQueries({ ...database, sql: watched.sql }).list(filter, { after, limit });
    await expectOnePage();
  });
});
