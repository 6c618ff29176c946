import type { PgSchema } from "drizzle-orm/pg-core";
import { index, jsonb, text, timestamp, uuid } from "../drizzle.ts";

/**
 * The audit log of a service, to be exported from its schema.ts:
 *
 *     export const auditEntry = auditTable(schema);
 *
 * The service declares the table "append-only". The migration that makes it also makes the function `sweep_audit`,
 * which belongs to the schema's owner and is the only way by which anything in it is ever changed: it empties addresses
 * after 90 days, and removes rows after a time that is not shorter.
 */
export function auditTable(schema: PgSchema) {
  return schema.table(
    "audit_entry",
    {
      /** UUIDv7. */
      id: uuid("id").primaryKey(),
      time: timestamp("time", { withTimezone: true }).notNull().defaultNow(),
      actor: text("actor").notNull(),
      method: text("method").notNull(),
      subject: text("subject").notNull(),
      /** A list of `AuditChange`. */
      changes: jsonb("changes").notNull(),
      requestId: text("request_id").notNull(),
      clientAddress: text("client_address"),
    },
    (table) => [
      index("audit_entry_time").on(table.time),
      index("audit_entry_actor").on(table.actor, table.id),
      index("audit_entry_subject").on(table.subject, table.id),
      index("audit_entry_method").on(table.method, table.id),
      index("audit_entry_method_actor").on(table.method, table.actor, table.id),
    ],
  );
}
