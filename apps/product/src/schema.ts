import { auditTable, idempotencyTable, leaseTable } from "@rialto/database";
import { inboxTables, outboxTables } from "@rialto/events";
import { sql } from "drizzle-orm";
import { bigint, boolean, check, index, integer, jsonb, pgSchema, text, timestamp, uuid } from "drizzle-orm/pg-core";
import type { Item } from "./stock/state.ts";

const schema = pgSchema("product");

/** What can be bought. Prices are minor units of `currency`. */
export const product = schema.table(
  "product",
  {
    id: uuid("id").primaryKey(),
    name: text("name").notNull(),
    description: text("description").notNull(),
    category: text("category").notNull(),
    price: bigint("price", { mode: "bigint" }).notNull(),
    currency: text("currency").notNull(),
    active: boolean("active").notNull(),
    /** Name and description as `searchTextOf` writes them, for queries to look in. */
    searchText: text("search_text").notNull(),
    createTime: timestamp("create_time", { withTimezone: true }).notNull(),
    updateTime: timestamp("update_time", { withTimezone: true }).notNull(),
  },
  (table) => [
    // The public list and the public category, newest first: the ids are UUIDv7, so they are in the order of the times.
    index("product_active").on(table.id).where(sql`active`),
    index("product_category").on(table.category, table.id),
    check("product_price", sql`price > 0`),
    check("product_currency", sql`currency ~ '^[A-Z]{3}$'`),
  ],
);

/**
 * How many there are of each product. The checks say what must hold at any time: nothing is promised that is not there, and what came in is here
 * or was shipped.
 */
export const stock = schema.table(
  "stock",
  {
    productId: uuid("product_id")
      .primaryKey()
      .references(() => product.id),
    onHand: integer("on_hand").notNull(),
    reserved: integer("reserved").notNull(),
    /** All that was ever adjusted, in and out. */
    received: bigint("received", { mode: "bigint" }).notNull(),
    /** All that was ever committed to orders. */
    shipped: bigint("shipped", { mode: "bigint" }).notNull(),
  },
  () => [
    check("stock_never_negative", sql`0 <= reserved and reserved <= on_hand`),
    check("stock_adds_up", sql`on_hand + shipped = received`),
  ],
);

/** What each order has of the stock. A row is never removed: a released one refuses a reservation that comes late. */
export const reservation = schema.table(
  "reservation",
  {
    orderId: uuid("order_id").primaryKey(),
    state: text("state").notNull(),
    items: jsonb("items").$type<readonly Item[]>().notNull(),
    /** Whose order it is; null for what version 0.1 reserved. */
    userId: uuid("user_id"),
    /** Why it was refused, and for which product. */
    refusal: jsonb("refusal").$type<{ readonly reason: string; readonly productId: string }>(),
    updateTime: timestamp("update_time", { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    // What an account has of the stock without having it: its quantity has a bound.
    index("reservation_held").on(table.userId).where(sql`state = 'RESERVED'`),
    check("reservation_state", sql`state in ('RESERVED', 'RELEASED', 'COMMITTED', 'REFUSED')`),
    check("reservation_refusal", sql`(state = 'REFUSED') = (refusal is not null)`),
  ],
);

/** Who changed what is on hand, by how much, and why. Rows are only ever added. */
export const adjustment = schema.table(
  "adjustment",
  {
    id: uuid("id").primaryKey(),
    productId: uuid("product_id")
      .notNull()
      .references(() => product.id),
    delta: integer("delta").notNull(),
    reason: text("reason").notNull(),
    actor: text("actor").notNull(),
    time: timestamp("time", { withTimezone: true }).notNull(),
  },
  (table) => [index("adjustment_product").on(table.productId, table.id)],
);

export const auditEntry = auditTable(schema);
export const idempotency = idempotencyTable(schema);
export const lease = leaseTable(schema);
export const { outbox, batch, delivery, registration } = outboxTables(schema);
export const { inbox, inboxPending, inboxCursor, inboxPause } = inboxTables(schema);
