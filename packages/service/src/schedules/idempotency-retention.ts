import { type Database, forgetIdempotencyKeys } from "@rialto/database";
import type { Logger } from "@rialto/telemetry";
import { every, type Schedule } from "./schedule.ts";

/** A key is remembered for two days: twice the 24 hours that callers are promised, so that no clock and no late sweep breaks it. */
const keyRetentionMs = 48 * 3_600_000;
const sweptRowsMax = 1_000;

/** The schedule "forget-idempotency-keys", which every service runs: removes old keys, a little at a time. */
export function sweepIdempotencyKeys({ sql }: Pick<Database, "sql">, log: Logger): Schedule {
  return every("1m", "forget-idempotency-keys", async (signal) => {
    let forgotten = 0;
    for (let rows = sweptRowsMax; rows === sweptRowsMax && !signal.aborted; forgotten += rows) {
      rows = await forgetIdempotencyKeys(sql, { olderThanMs: keyRetentionMs, rowsMax: sweptRowsMax });
    }
    if (forgotten > 0) log.debug({ keys: forgotten }, "old idempotency keys were removed");
  });
}
