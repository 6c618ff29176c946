import { keptBytesPerCall } from "@rialto/counting";
import { afterEach, beforeEach, describe, expect, inject, it } from "vitest";
import { connect, type Sql } from "../src/connection/connection.ts";
import { countStatements } from "../src/connection/pool-use.ts";

// Each returns 20 rows of 1,000 bytes, which the driver makes into 25 kB. Few calls: what is kept of many would bring a
// major collection about, which frees it.
const counted = { calls: 200, atOnce: 2 };
const keptBytesMax = 12_000;

describe("what a statement returned", () => {
  let sql: Sql;
  beforeEach(() => {
    sql = countStatements(connect(inject("adminUrl"), { max: 2 }), { inFlight: 0 });
  });
  afterEach(() => sql.end({ timeout: 1 }));

  it("is gone with the next minor collection of garbage", async () => {
    const read = async () => {
      const rows =
        await sql`select n, repeat('x', 1000) as text from generate_series(1, ${20}) n where ${sql`n > ${0}`}`;
      if (rows.length !== 20) throw new Error(`${rows.length} rows`);
    };
    const kept = await keptBytesPerCall(read, counted);
    expect(kept).toBeLessThan(keptBytesMax);
  });

  it("is gone where it was a transaction's", async () => {
    const read = () =>
      sql.begin(async (tx) => {
        const rows = await tx`select n, repeat('x', 1000) as text from generate_series(1, 20) n`;
        if (rows.length !== 20) throw new Error(`${rows.length} rows`);
      });
    const kept = await keptBytesPerCall(read, counted);
    expect(kept).toBeLessThan(keptBytesMax);
  });
});
