import {
  excessOf,
  explained,
  largeTable,
  pagesBefore,
  rowId,
  rowIdIn,
  type TestDatabase,
  testDatabase,
} from "@rialto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { user as service } from "../src/service.ts";
import { createRefreshTokens } from "../src/sessions/refresh-tokens.ts";
import { createSessionStore } from "../src/sessions/store.ts";
import { createUserStore } from "../src/user/store.ts";

const { rows, limit } = largeTable;

let db: TestDatabase;
let watched: ReturnType<typeof explained>;
beforeAll(async () => {
  db = await testDatabase({ schemas: service.schemas });
  watched = explained(db.database("user").sql);
  const id = rowIdIn(db.sql);
  await db.sql`
    insert into "user".account (id, version, email, name, role, password_hash, create_time, update_time)
    select ${id}, 1, n || '@example.com', 'Ada', 'CUSTOMER', 'h', now(), now() from generate_series(1, ${rows}) as n`;
  await db.sql`
    insert into "user".session (id, account_id, create_time, expire_time, end_time, end_reason)
    select ${id}, ${id}, now(), now(), now() - n * interval '1 second', 'LOGOUT'
    from generate_series(1, ${rows}) as n`;
  await db.sql`vacuum analyze "user".account, "user".session`;
});
afterAll(() => db.close());

describe.each(pagesBefore(rowId(rows / 4)))("%s", (_, after) => {
  it("of the accounts reads the rows that it shows and no others", async () => {
    await createUserStore({ sql: watched.sql }).list({ after, limit });
    expect(excessOf(await watched.plans())).toEqual([]);
  });

  it("of the sessions that ended reads the rows that it shows and no others", async () => {
    const store = createSessionStore({ sql: watched.sql }, createRefreshTokens("a key for tests"));
    const from = after === undefined ? undefined : { id: after, time: new Date(Date.now() - (rows / 4) * 1_000) };
    await store.ended({ since: undefined, withinMs: 90_000_000, after: from, limit });
    expect(excessOf(await watched.plans())).toEqual([]);
  });
});
