import { bigserial, integer, pgSchema, text, uuid } from "@rialto/database/drizzle";
import { inboxTables } from "@rialto/events";

/**
 * A service that subscribes. Its migration is written by `drizzle-kit generate --dialect postgresql --schema
 * test/desk/schema.ts --out test/desk/migrations`.
 */
const desk = pgSchema("desk");
export const { inbox, inboxPending, inboxPause } = inboxTables(desk);

/** What the handlers did, a row each time. */
export const effect = desk.table("effect", {
  id: bigserial("id", { mode: "bigint" }).primaryKey(),
  subscription: text("subscription").notNull(),
  eventId: uuid("event_id").notNull(),
  subject: text("subject").notNull(),
  version: integer("version").notNull(),
});
