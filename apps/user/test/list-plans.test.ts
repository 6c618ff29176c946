import { explained, type TestDatabase, testDatabase } from "@rialto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { user as service } from "../src/service.ts";
import { createRefreshTokens } from "../src/sessions/refresh-tokens.ts";
import { createSessionStore } from "../src/sessions/store.ts";
import { createUserStore } from "../src/user/store.ts";

const rows = 100_000;
const limit = 21;

/** The id of the row with that number. */
function id(n: number): string {
  return `01900000-0000-7000-8000-${n.toString(16).padStart(12, "0")}`;
}

let db: TestDatabase;
let watched: ReturnType<typeof explained>;
beforeAll(async () => {
  db = await testDatabase({ schemas: service.schemas });
  watched = explained(db.database("user").sql);
  const uuid = db.sql`('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid`;
  await db.sql`
    insert into "user".account (id, version, email, name, role, password_hash, create_time, update_time)
    select ${uuid}, 1, n || '@example.com', 'Ada', 'CUSTOMER', 'h', now(), now() from generate_series(1, ${rows}) as n`;
  await db.sql`
    insert into "user".session (id, account_id, create_time, expire_time, end_time, end_reason)
    select ${uuid}, ${uuid}, now(), now(), now() - n * interval '1 second', 'LOGOUT'
    from generate_series(1, ${rows}) as n`;
  await db.sql`vacuum analyze "user".account, "user".session`;
});
afterAll(() => db.close());

/** A page reads its rows, each from a page of its own at worst, and no others. */
async function expectOnePage(): Promise<void> {
  const plans = await watched.plans();
  expect(plans).toHaveLength(1);
  for (const plan of plans) {
    expect(plan).toMatchObject({ scanned: [], sortedRows: 0 });
    expect(plan.readRows).toBeLessThanOrEqual(limit);
    expect(plan.buffers).toBeLessThanOrEqual(2 * limit + 20);
  }
}

const pages = [
  ["the first page", undefined],
  ["a deep page", id(rows / 4)],
] as const;

describe.each(pages)("%s", (_, after) => {
  it("of the accounts reads the rows that it shows and no others", async () => {
    await createUserStore({ sql: watched.sql }).list({ after, limit });
    await expectOnePage();
  });

  it("of the sessions that ended reads the rows that it shows and no others", async () => {
    const store = createSessionStore({ sql: watched.sql }, createRefreshTokens("a key for tests"));
    const from = after === undefined ? undefined : { id: after, time: new Date(Date.now() - (rows / 4) * 1_000) };
    await store.ended({ since: undefined, withinMs: 90_000_000, after: from, limit });
    await expectOnePage();
  });
});
