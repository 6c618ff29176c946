import { bigint, check, index, integer, pgSchema, sql, text, timestamp, uniqueIndex } from "@rialto/database/drizzle";

const schema = pgSchema("card_network");

/**
 * The simulated card network's ledger: one row for each effect it was asked for, and what it answered. The payment
 * service cannot reach it but through the provider, so that the two can be compared.
 */
export const entry = schema.table(
  "entry",
  {
    /** The idempotency key of the request. */
    key: text("key").primaryKey(),
    kind: text("kind").notNull(),
    /** The key of the authorization that the entry belongs to; its own key, where it is one. */
    authorizationKey: text("authorization_key").notNull(),
    orderReference: text("order_reference").notNull(),
    amount: bigint("amount", { mode: "bigint" }).notNull(),
    currency: text("currency").notNull(),
    paymentMethod: text("payment_method").notNull(),
    outcome: text("outcome").notNull(),
    code: text("code"),
    reference: text("reference").notNull(),
    createTime: timestamp("create_time", { withTimezone: true }).notNull().defaultNow(),
    /** When the network answers: later than the effect, for a slow card. */
    answerTime: timestamp("answer_time", { withTimezone: true }).notNull(),
  },
  (table) => [
    index("entry_order").on(table.orderReference),
    index("entry_authorization").on(table.authorizationKey, table.kind),
    // The network captures an authorization once, whatever it is asked for.
    uniqueIndex("entry_captured_once").on(table.authorizationKey).where(sql`kind = 'CAPTURE' and outcome = 'APPROVED'`),
    check("entry_kind", sql`kind in ('AUTHORIZE', 'CAPTURE', 'VOID', 'REFUND')`),
    check("entry_outcome", sql`outcome in ('APPROVED', 'DECLINED')`),
    check("entry_amount", sql`amount >= 0`),
  ],
);

/**
 * How many requests with this key did not reach the network. It is stored, so that a restart does not reset the count.
 */
export const failure = schema.table("failure", {
  key: text("key").primaryKey(),
  count: integer("count").notNull(),
});
