import { pgSchema } from "@rialto/database/drizzle";
import { outboxTables } from "@rialto/events";

/**
 * A service that publishes. Its migration is written by `drizzle-kit generate --dialect postgresql --schema
 * test/shop/schema.ts --out test/shop/migrations`.
 */
export const { outbox, batch, delivery, registration } = outboxTables(pgSchema("shop"));
