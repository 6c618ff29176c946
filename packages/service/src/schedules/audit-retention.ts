import { type Database, sweepAudit } from "@rialto/database";
import type { Logger } from "@rialto/telemetry";
import { every, type Schedule } from "./schedule.ts";

/**
 * The schedule "sweep-audit-log", which every service runs that keeps one: empties addresses after 90 days and removes rows after `keptDays`, a little at a
 * time. It has no other right on them than to ask for this.
 */
export function sweepAuditLog(
  { sql }: Pick<Database, "sql">,
  o: { readonly keptDays: number; readonly log: Logger },
): Schedule {
  return every("1h", "sweep-audit-log", async (signal) => {
    let swept = 0;
    for (let rows = 1; rows > 0 && !signal.aborted; swept += rows) rows = await sweepAudit(sql, o);
    if (swept > 0) o.log.info({ rows: swept }, "addresses or rows of the audit log were removed: their time was over");
  });
}
