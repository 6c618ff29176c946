import { auditTable, idempotencyTable, leaseTable } from "@rialto/database";
import {
  bigint,
  boolean,
  check,
  index,
  integer,
  jsonb,
  pgSchema,
  sql,
  text,
  timestamp,
  uuid,
} from "@rialto/database/drizzle";
import type { Item } from "./stock/state.ts";

const schema = pgSchema("product");

/** Products. Prices are in minor units of `currency`. */
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
    /** The name and description as written by `searchTextOf`, for queries. */
    searchText: text("search_text").notNull(),
    createTime: timestamp("create_time", { withTimezone: true }).notNull(),
    updateTime: timestamp("update_time", { withTimezone: true }).notNull(),
  },
  (table) => [
    // The lists, of all products and by category, newest first: ids are UUIDv7, so they sort by time. Those of everyone
    // have active products only.
    index("product_active").on(table.id).where(sql`active`),
    index("product_category").on(table.category, table.id),
    index("product_category_active").on(table.category, table.id).where(sql`active`),
    check("product_price", sql`price > 0`),
    check("product_currency", sql`currency ~ '^[A-Z]{3}$'`),
  ],
);

/**
 * The stock of each product. The checks state the invariants: reserved stock exists, and everything received is on hand
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
    /** The sum of all adjustments. */
    received: bigint("received", { mode: "bigint" }).notNull(),
    /** The sum of all committed reservations. */
    shipped: bigint("shipped", { mode: "bigint" }).notNull(),
  },
  () => [
    check("stock_never_negative", sql`0 <= reserved and reserved <= on_hand`),
    check("stock_adds_up", sql`on_hand + shipped = received`),
  ],
);

/** The reservation of each order. Rows are never deleted: a released one refuses a reservation that comes late. */
export const reservation = schema.table(
  "reservation",
  {
    orderId: uuid("order_id").primaryKey(),
    state: text("state").notNull(),
    items: jsonb("items").$type<readonly Item[]>().notNull(),
    /** The user of the order; null for reservations of version 0.1. */
    userId: uuid("user_id"),
    /** The reason of the refusal, and the product. */
    refusal: jsonb("refusal").$type<{ readonly reason: string; readonly productId: string }>(),
    updateTime: timestamp("update_time", { withTimezone: true }).notNull().defaultNow(),
  },
  (table) => [
    // For the limit on what an account can have reserved.
    index("reservation_held").on(table.userId).where(sql`state = 'RESERVED'`),
    check("reservation_state", sql`state in ('RESERVED', 'RELEASED', 'COMMITTED', 'REFUSED')`),
    check("reservation_refusal", sql`(state = 'REFUSED') = (refusal is not null)`),
  ],
);

/** The adjustments of the stock: who, by how much, and why. Append-only. */
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
