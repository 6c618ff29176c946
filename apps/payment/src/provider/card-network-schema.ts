import { sql } from "drizzle-orm";
import { bigint, check, index, integer, pgSchema, text, timestamp, uniqueIndex } from "drizzle-orm/pg-core";

const schema = pgSchema("card_network");

/**
 * The simulated card network's ledger: one row for each effect it was asked for, and what it answered. The payment service cannot
 * reach it but through the provider, so that the two can be compared.
 */
export const entry = schema.table(
  "entry",
  {
    /** The idempotency key that the effect was asked for with. */
    key: text("key").primaryKey(),
    kind: text("kind").notNull(),
    /** The key of the authorization that it is about; its own, where it is one. */
    authorizationKey: text("authorization_key").notNull(),
    orderReference: text("order_reference").notNull(),
    amount: bigint("amount", { mode: "bigint" }).notNull(),
    currency: text("currency").notNull(),
    paymentMethod: text("payment_method").notNull(),
    outcome: text("outcome").notNull(),
    code: text("code"),
    reference: text("reference").notNull(),
    createTime: timestamp("create_time", { withTimezone: true }).notNull().defaultNow(),
    /** When the network tells: later than the effect, for a slow card. */
    answerTime: timestamp("answer_time", { withTimezone: true }).notNull(),
  },
  (table) => [
    index("entry_order").on(table.orderReference),
    index("entry_authorization").on(table.authorizationKey, table.kind),
    // The network itself takes the money of one authorization once, whatever it is asked for.
    uniqueIndex("entry_captured_once").on(table.authorizationKey).where(sql`kind = 'CAPTURE' and outcome = 'APPROVED'`),
    check("entry_kind", sql`kind in ('AUTHORIZE', 'CAPTURE', 'VOID', 'REFUND')`),
    check("entry_outcome", sql`outcome in ('APPROVED', 'DECLINED')`),
    check("entry_amount", sql`amount >= 0`),
  ],
);

/** How often a request with this key has found the network unreachable. It is kept here, so that a restart does not begin again. */
export const failure = schema.table("failure", {
  key: text("key").primaryKey(),
  count: integer("count").notNull(),
});
