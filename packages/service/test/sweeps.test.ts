import { quietLogger, type TestDatabase, testDatabase } from "@rialto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { sweepAuditLog, sweepIdempotencyKeys } from "../src/schedules/retention.ts";

/** More than a few statements remove. */
const rows = 3_500;

let db: TestDatabase;
beforeAll(async () => {
  // A service's own migrations: those of the fixtures have neither keys nor an audit log.
  const migrations = new URL("../../../apps/product/migrations/", import.meta.url);
  db = await testDatabase({ schemas: [{ name: "product", migrations }] });
});
afterAll(() => db.close());

describe("one run of a sweep", () => {
  it("forgets every expired idempotency key, and keeps those whose work has no answer yet", async () => {
    const { sql } = db.database("product");
    await db.sql`
      insert into product.idempotency (caller, method, key, fingerprint, response, create_time)
      select 'c', 'm', n::text, '', case when n > 1 then 'null'::jsonb end, now() - interval '3 days'
      from generate_series(1, ${rows}) as n`;
    await sweepIdempotencyKeys({ sql }, quietLogger).run(AbortSignal.timeout(60_000));
    expect(await sql`select key from idempotency`).toEqual([{ key: "1" }]);
  });

  it("empties every old address in the audit log, and removes every old row", async () => {
    const { sql } = db.database("product");
    await db.sql`
      insert into product.audit_entry (id, time, actor, method, subject, changes, request_id, client_address)
      select gen_random_uuid(), now() - case when n % 2 = 0 then 100 else 401 end * interval '1 day', 'a', 'm', 's', '[]', 'r', '::1'
      from generate_series(1, ${rows}) as n`;
    await sweepAuditLog({ sql }, { keptDays: 400, log: quietLogger }).run(AbortSignal.timeout(60_000));
    expect(await sql`select count(*)::int as rows, count(client_address)::int as addresses from audit_entry`).toEqual([
      { rows: rows / 2, addresses: 0 },
    ]);
  });
});
