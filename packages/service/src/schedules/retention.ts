import { type Database, forgetIdempotencyKeys, sweepAudit } from "@rialto/database";
import type { Logger } from "@rialto/telemetry";
import { every, type Schedule } from "./schedule.ts";

/** Keys are kept for two days, twice the 24 hours that callers are promised: a margin for clocks and late sweeps. */
const keyRetentionMs = 48 * 3_600_000;
const sweptRowsMax = 1_000;

/** The schedule "forget-idempotency-keys" of every service: removes old keys in small batches. */
export function sweepIdempotencyKeys({ sql }: Pick<Database, "sql">, log: Logger): Schedule {
  return every("1m", "forget-idempotency-keys", async (signal) => {
    let forgotten = 0;
    for (let rows = sweptRowsMax; rows === sweptRowsMax && !signal.aborted; forgotten += rows) {
      rows = await forgetIdempotencyKeys(sql, { olderThanMs: keyRetentionMs, rowsMax: sweptRowsMax });
    }
    if (forgotten > 0) log.debug({ keys: forgotten }, "expired idempotency keys removed");
  });
}

/**
 * The schedule "sweep-audit-log" of every service with an audit log: removes addresses after 90 days and rows after
 * `keptDays`, in small batches. The service's role has no other right to change them.
 */
export function sweepAuditLog(
  { sql }: Pick<Database, "sql">,
  o: { readonly keptDays: number; readonly log: Logger },
): Schedule {
  return every("1h", "sweep-audit-log", async (signal) => {
    let swept = 0;
    for (let rows = 1; rows > 0 && !signal.aborted; swept += rows) rows = await sweepAudit(sql, o);
    if (swept > 0) o.log.info({ rows: swept }, "expired addresses and rows of the audit log removed");
  });
}
