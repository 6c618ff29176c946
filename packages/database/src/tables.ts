import type { PgSchema } from "drizzle-orm/pg-core";
import { customType, index, integer, jsonb, primaryKey, text, timestamp, uuid } from "./drizzle.ts";

const bytea = customType<{ data: Uint8Array }>({ dataType: () => "bytea" });
const time = (name: string) => timestamp(name, { withTimezone: true });

/**
 * The idempotency keys of a service's calls: who called what with which key, a fingerprint of the request, and the
 * answer.
 *
 * A row without an answer says that the work has begun and has an effect outside that may or may not have happened.
 */
export function idempotencyTable(schema: PgSchema) {
  return schema.table(
    "idempotency",
    {
      caller: text("caller").notNull(),
      method: text("method").notNull(),
      key: text("key").notNull(),
      fingerprint: bytea("fingerprint").notNull(),
      response: jsonb("response"),
      createTime: time("create_time").notNull().defaultNow(),
    },
    (table) => [
      primaryKey({ columns: [table.caller, table.method, table.key] }),
      // What the sweeper asks for. The times ascend, so an insert touches the index's last page only.
      index("idempotency_time").on(table.createTime),
    ],
  );
}

/** Which of a service's replicas holds a lease, and until when. */
export function leaseTable(schema: PgSchema) {
  return schema.table("lease", {
    name: text("name").primaryKey(),
    holder: text("holder").notNull(),
    expireTime: time("expire_time").notNull(),
  });
}

/**
 * The columns of a subject's event log, as the group commit writes it. The table adds its primary key, which is what
 * makes two events of one version impossible: `(table) => [primaryKey({ columns: [table.subjectId, table.version] })]`.
 */
export function eventColumns() {
  return {
    subjectId: uuid("subject_id").notNull(),
    version: integer("version").notNull(),
    id: uuid("id").notNull(),
    type: text("type").notNull(),
    payload: jsonb("payload").notNull(),
    actor: text("actor").notNull(),
    reason: text("reason").notNull(),
    traceparent: text("traceparent").notNull(),
    time: time("time").notNull(),
  };
}

/**
 * SQL that holds where the column has one of these values, for a check or an index: `status in ('PENDING', 'CLOSED')`.
 */
export function oneOf(column: string, values: readonly string[]): string {
  return `${column} in (${values.map((value) => `'${value.replaceAll("'", "''")}'`).join(", ")})`;
}
